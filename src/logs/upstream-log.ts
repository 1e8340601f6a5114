/** Log lines about upstreams: their states and, at the level `trace`, their frames. */

import { redactUrl } from "../config/wire.ts";
import { ago, span } from "../core/util/ago.ts";
import type { FrameListener } from "../sidecar/host/sidecars.ts";
import type { UpstreamClient } from "../sidecar/host/upstream-client.ts";
import type { KnownState, UpstreamState } from "../sidecar/reports.ts";
import { log } from "./log.ts";

/**
 * Logs what happens to an upstream from now on.
 * @param good the level of what is no problem
 */
export function logUpstream(client: UpstreamClient, good: "info" | "debug" = "info"): void {
  const { name, settings } = client;
  const url = redactUrl(settings.url);
  let before: KnownState = client.state;
  client.onState((state) => {
    const isSame = (["phase", "attempts", "lastError", "retryInMs"] as const).every(
      (key) => state[key] === before[key],
    );
    // Only the owner has changed, of which the thread has told.
    if (isSame) return;
    const isNews = state.lastError !== before.lastError;
    const service = isDown(state) ? `; ${served(client.state, before)}` : "";
    before = client.state;
    logState(name, url, state, { isNews, service, good });
  });
}

/** Logs frames; undefined unless the level shows them, so that threads need not trace any. */
export function frameLog(): FrameListener | undefined {
  if (!log.isEnabledFor("trace")) return undefined;
  return (upstream, { direction, connection, text }) => {
    log.trace(`upstream ${upstream}: ${direction} ${text}`, { upstream, direction, connection });
  };
}

function isDown({ phase }: UpstreamState): boolean {
  return phase === "waiting" || phase === "refused";
}

/** Tells an upstream that was never there from one that went away, or comes and goes. */
function served({ readyUntil }: KnownState, before: KnownState): string {
  const now = Date.now();
  if (before.phase === "ready") return `it was ready for ${span(now - before.since.getTime())}`;
  return readyUntil === undefined ? "it was never ready" : `it was ready until ${ago(now - readyUntil.getTime())}`;
}

interface StateLine {
  /** False if the reason is that of the line before. */
  readonly isNews: boolean;
  /** How long it was ready, or when. */
  readonly service: string;
  /** The level of what is no problem. */
  readonly good: "info" | "debug";
}

function logState(upstream: string, url: string, state: UpstreamState, { isNews, service, good }: StateLine): void {
  const { phase, attempts, lastError, lastCause, retryInMs } = state;
  // A connection turns idle with an error only if its thread has died.
  const level = phase === "idle" && lastError !== undefined ? "error" : isDown(state) ? "warn" : good;
  const next = retryInMs === undefined ? "" : `, next attempt in ${(retryInMs / 1_000).toFixed(1)} s`;
  const why = lastError !== undefined && (isDown(state) || isNews) ? `: ${lastError}` : "";
  const facts = { upstream, url, phase, attempts, retryInMs, ...(why !== "" && { lastError, cause: lastCause }) };
  log[level](`upstream ${upstream}: ${phase}${next}${why}${service}`, facts);
}
