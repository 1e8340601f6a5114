/** Log lines about upstreams: their states and, at the level `trace`, their frames. */

import { redactUrl } from "./config/wire.ts";
import { log } from "./log.ts";
import type { FrameListener } from "./sidecar/host/sidecars.ts";
import type { UpstreamClient } from "./sidecar/host/upstream-client.ts";
import type { UpstreamState } from "./sidecar/reports.ts";

/** Logs what happens to an upstream from now on. */
export function logUpstream(client: UpstreamClient): void {
  const { name, settings } = client;
  const url = redactUrl(settings.url);
  let reason: string | undefined;
  client.onState((state) => {
    const isNews = state.lastError !== reason;
    reason = state.lastError;
    logState(name, url, state, isNews);
  });
}

/** Logs frames; undefined unless the level shows them, so that threads need not trace any. */
export function frameLog(): FrameListener | undefined {
  if (!log.isEnabledFor("trace")) return undefined;
  return (upstream, { direction, connection, text }) => {
    log.trace(`upstream ${upstream}: ${direction} ${text}`, { upstream, direction, connection });
  };
}

/** @param isNews false if the reason is that of the line before */
function logState(upstream: string, url: string, state: UpstreamState, isNews: boolean): void {
  const { phase, attempts, lastError, retryInMs } = state;
  const isDown = phase === "waiting" || phase === "refused";
  // A connection turns idle with an error only if its thread has died.
  const level = phase === "idle" && lastError !== undefined ? "error" : isDown ? "warn" : "info";
  const next = retryInMs === undefined ? "" : `, next attempt in ${(retryInMs / 1_000).toFixed(1)} s`;
  const why = lastError !== undefined && (isDown || isNews) ? `: ${lastError}` : "";
  const facts = { upstream, url, phase, attempts, retryInMs, ...(why !== "" && { lastError }) };
  log[level](`upstream ${upstream}: ${phase}${next}${why}`, facts);
}
