/** Failover to equivalent upstreams, for messages that were certainly not sent. */

import { type CallerOutcome, isUnsent, type Outcome } from "../../core/outcome.ts";
import type { Failure } from "../../errors.ts";
import type { OutgoingRequest } from "../../sidecar/host/upstream-client.ts";
import type { UpstreamPort } from "../ports.ts";

export interface UpstreamOutcome {
  readonly outcome: CallerOutcome;
  readonly upstream: UpstreamPort;
}

/** Codes of an absent upstream. A full queue is not among them: the next one would soon be full too. */
const ABSENT: ReadonlySet<Failure["code"]> = new Set(["upstream_down", "connection_lost", "login_refused"]);

/**
 * Sends the request to the upstream and then, while nothing was sent, to its equivalents in order, all within one
 * timeout. If all are absent, the outcome is the first one's failure. Where replicas share the upstream, a request with
 * a key stays there: another of them may find that upstream there, and could not know of its equivalent's outcome.
 * @param leave called at the end, whatever it is
 */
export function requestInTurn(
  upstreams: ReadonlyMap<string, UpstreamPort>,
  upstream: UpstreamPort,
  request: OutgoingRequest,
  leave: (() => void) | undefined,
): Promise<UpstreamOutcome> {
  const deadline = performance.now() + request.timeoutMs;
  const first = upstream.request(request).then((outcome): UpstreamOutcome => ({ upstream, outcome }));
  const { failover } = upstream.settings;
  const isBound = failover.length === 0 || (request.key !== undefined && upstream.isShared);
  const last = isBound ? first : first.then((unsent) => failOver(upstreams, unsent, request, deadline));
  return leave ? last.finally(leave) : last;
}

async function failOver(
  upstreams: ReadonlyMap<string, UpstreamPort>,
  first: UpstreamOutcome,
  request: OutgoingRequest,
  deadline: number,
): Promise<UpstreamOutcome> {
  let last = first;
  for (const name of first.upstream.settings.failover) {
    if (!isAbsent(last.outcome)) return last;
    const next = upstreams.get(name);
    const timeoutMs = deadline - performance.now();
    if (!next || timeoutMs <= 0) continue;
    last = { upstream: next, outcome: await next.request({ ...request, timeoutMs }) };
  }
  return isAbsent(last.outcome) ? first : last;
}

/** True if no part was sent because the upstream was absent. */
function isAbsent(outcome: Outcome): boolean {
  const items = outcome.type === "batch" ? outcome.items : [outcome];
  return isUnsent(outcome) && items.every((item) => item.type === "failed" && ABSENT.has(item.failure.code));
}
