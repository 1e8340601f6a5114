import { type CallerOutcome, isUnsent, type Outcome } from "../../core/outcome.ts";
import type { Failure } from "../../errors.ts";
import type { UpstreamRequest } from "../../sidecar/host/upstream-client.ts";
import type { UpstreamPort } from "../ports.ts";

/** Equivalents: who is asked instead, when an upstream is not there and has certainly not got the message. */

export interface UpstreamOutcome {
  readonly outcome: CallerOutcome;
  readonly upstream: UpstreamPort;
}

/** What says that the upstream is not there. A full queue is no reason: the next one would soon be full too. */
const ABSENT: ReadonlySet<Failure["code"]> = new Set(["upstream_down", "connection_lost", "login_refused"]);

/**
 * Asks the upstream, and then, as long as nothing was sent, its equivalents in their order, all within the one time.
 * When none of them is there, it is the first one's failure that counts.
 */
export async function requestInTurn(
  upstreams: ReadonlyMap<string, UpstreamPort>,
  upstream: UpstreamPort,
  ask: UpstreamRequest,
): Promise<UpstreamOutcome> {
  const until = performance.now() + ask.timeoutMs;
  const first: UpstreamOutcome = { upstream, outcome: await upstream.request(ask) };
  let last = first;
  for (const name of upstream.settings.failover) {
    if (!isAbsent(last.outcome)) return last;
    const next = upstreams.get(name);
    const timeoutMs = until - performance.now();
    if (!next || timeoutMs <= 0) continue;
    last = { upstream: next, outcome: await next.request({ ...ask, timeoutMs }) };
  }
  return isAbsent(last.outcome) ? first : last;
}

/** Certainly not sent, no part of it, because nobody was there. */
function isAbsent(outcome: Outcome): boolean {
  const items = outcome.type === "batch" ? outcome.items : [outcome];
  return isUnsent(outcome) && items.every((item) => item.type === "failed" && ABSENT.has(item.failure.code));
}
