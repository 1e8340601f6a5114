/** Log lines about requests: one for each that fails and, at the level `debug`, one for each that succeeds. */

import { LineRate } from "../telemetry/line-rate.ts";
import type { EndedRequest, FailedRequest, RequestFacts, Telemetry } from "../telemetry/telemetry.ts";
import { log } from "./log.ts";

/** Logs requests as they end: never a payload, a URL or a header. */
export function logRequests(telemetry: Telemetry): void {
  const rate = new LineRate();
  const summarize = () => {
    const codes = rate.flush();
    const more = Object.values(codes).reduce((total, count) => total + count, 0);
    log.warn(`${more} more requests failed within a second`, codes);
  };
  telemetry.on((event) => {
    if (event.type !== "failure") return;
    const { request } = event;
    const now = performance.now();
    if (rate.takes(request.failure.code, now)) logFailure(request);
    else if (rate.held === 1) setTimeout(summarize, rate.dueInMs(now)).unref();
  });
  if (!log.isEnabledFor("debug")) return;
  telemetry.observe((request) => {
    if (request.failure) return;
    const { status, reply } = request;
    log.debug(`${subjectOf(request)} ended with ${status}`, { ...factsOf(request), ...timesOf(reply) });
  });
}

/** The caller's mistakes are information; all else needs somebody's attention. */
function logFailure(request: FailedRequest): void {
  const { failure, status } = request;
  const { code, cause, sent, detail } = failure;
  const level = status >= 400 && status < 500 ? "info" : "warn";
  log[level](`${subjectOf(request)} failed: ${code} (sent: ${sent}): ${detail}`, {
    ...factsOf(request),
    code,
    cause,
    sent,
    detail,
  });
}

function subjectOf({ method, route, upstream }: Pick<RequestFacts, "method" | "route" | "upstream">): string {
  return upstream === undefined ? `${method} ${route}` : `upstream ${upstream}: ${method} ${route}`;
}

function factsOf(request: RequestFacts) {
  const { requestId, traceId, method, route, upstream, status, totalMs, caller, address } = request;
  return { requestId, traceId, method, route, upstream, status, totalMs: rounded(totalMs), caller, address };
}

function timesOf(reply: EndedRequest["reply"]) {
  return reply && { queueMs: rounded(reply.queueMs), upstreamMs: rounded(reply.upstreamMs) };
}

function rounded(ms: number): number {
  return Number(ms.toFixed(1));
}
