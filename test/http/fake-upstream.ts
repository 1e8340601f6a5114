/** Upstream port without a thread: echoes what is sent to it. */

import { upstreamSchema } from "../../src/config/upstream-settings.ts";
import { Histogram } from "../../src/core/util/histogram.ts";
import type { UpstreamPort } from "../../src/http/ports.ts";
import type { ProtocolTraits } from "../../src/sidecar/contract.ts";
import { CallStats } from "../../src/sidecar/host/call-stats.ts";
import { JournalPulls } from "../../src/sidecar/host/journal-pulls.ts";
import { UpstreamSubscriptions } from "../../src/sidecar/host/subscriptions.ts";

const jsonRpc: ProtocolTraits = { name: "json-rpc", accepts: "json", streams: false, batches: true };

export function fakeUpstream(name: string, parts: Partial<UpstreamPort> = {}): UpstreamPort {
  return {
    name,
    settings: upstreamSchema.parse({ url: "ws://127.0.0.1:1" }),
    isShared: false,
    protocol: jsonRpc,
    openedWithin: () => Promise.resolve(jsonRpc),
    state: { phase: "ready", attempts: 0, since: new Date(0) },
    inFlight: 0,
    journals: new JournalPulls(name, () => {}),
    subscriptions: new UpstreamSubscriptions(name, {}, () => {}),
    request: ({ body }) => Promise.resolve({ type: "reply", body, queueMs: 0, upstreamMs: 0 }),
    reply: () => Promise.resolve({ type: "done" }),
    stream: () => ({ code: "internal_error", sent: "no", detail: "the fake upstream does not stream" }),
    inspect: () => Promise.resolve(undefined),
    calls: new CallStats(),
    thread: { name: "sidecar-1", crashes: 0, lag: new Histogram() },
    ...parts,
  };
}
