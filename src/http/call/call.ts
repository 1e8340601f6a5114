import type { Context } from "hono";
import type { CallerOutcome, RequestKind } from "../../core/outcome.ts";
import { refused } from "../../errors.ts";
import type { Body } from "../../protocols/protocol.ts";
import type { ProtocolTraits } from "../../sidecar/contract.ts";
import { callerOf } from "../guard.ts";
import type { AppParts, Env, UpstreamPort } from "../ports.ts";
import type { ResponseHeaders } from "../problem.ts";
import { readMessage } from "./body.ts";
import { leaveSignal } from "./caller-left.ts";
import { type CallerRequest, detached, locationOf, outcomeOf, readKey } from "./detached.ts";
import { requestInTurn, type UpstreamOutcome } from "./failover.ts";
import { callHeaders } from "./headers.ts";
import { readWaitLimit } from "./timeout.ts";

/** The one way up and down, for every route that sends a message. */

/** The upstream that a path names. With only one, `default` names it too. */
export function findUpstream(upstreams: AppParts["upstreams"], name: string): UpstreamPort {
  const found = upstreams.get(name);
  if (found) return found;
  const [only] = upstreams.values();
  if (only && name === "default" && upstreams.size === 1) return only;
  const known = [...upstreams.keys()].join(", ");
  throw refused("not_found", `there is no upstream ${JSON.stringify(name.slice(0, 64))}; there is: ${known}`);
}

/** Until the thread has made the upstream a request waits, in its own time: `readCall` takes off what is used up. */
export async function opened(c: Context<Env>, upstream: UpstreamPort): Promise<ProtocolTraits> {
  const dialect = await upstream.openedWithin(readWaitLimit(c).timeoutMs);
  c.set("openedAfterMs", performance.now() - c.get("began"));
  return dialect;
}

/** A message that is ready to be sent. */
export interface PreparedRequest extends CallerRequest {
  /** The preference that `timeoutMs` follows (RFC 7240). */
  readonly applied: string | undefined;
}

export interface CallResult extends UpstreamOutcome {
  /** Headers of the response, whatever it makes of the outcome. */
  readonly headers: ResponseHeaders;
}

/**
 * Reads the message. `frameOf` makes what is sent of what came in, where that is not the same, or refuses it. Throws a
 * SidesocketError when it does not get so far.
 */
export async function prepare(
  c: Context<Env>,
  { lifecycle }: AppParts,
  upstream: UpstreamPort,
  kind: RequestKind,
  frameOf: (body: Body, dialect: ProtocolTraits) => Body = (body) => body,
): Promise<PreparedRequest> {
  if (!lifecycle.accepting) throw refused("shutting_down", "the service is shutting down");
  const { timeoutMs, applied } = readWaitLimit(c);
  const dialect = upstream.protocol ?? (await opened(c, upstream));
  const body = await readMessage(c, dialect.accepts, upstream.settings.limits.request_bytes, lifecycle);
  const leftMs = Math.max(1, timeoutMs - (c.get("openedAfterMs") ?? 0));
  return { kind, body: frameOf(body, dialect), timeoutMs: leftMs, applied };
}

/** Sends the message up, and waits for how it ends. The upstream that answers may be an equivalent of the one asked. */
export async function call(
  c: Context<Env>,
  parts: AppParts,
  asked: UpstreamPort,
  message: PreparedRequest,
): Promise<CallResult> {
  const { kind, body, timeoutMs, applied } = message;
  const key = readKey(c);
  if (key !== undefined) {
    const { state, location, replayed } = await detached(c, parts, asked, message, key);
    return { outcome: outcomeOf(state), upstream: asked, headers: callHeaders(c, { applied, location, replayed }) };
  }
  const ask = { kind, body, timeoutMs, signal: leaveSignal(c) };
  const { outcome, upstream } = await requestInTurn(parts.upstreams, asked, ask);
  const servedBy = asked.settings.failover.length > 0 ? upstream.name : undefined;
  const location = "later" in outcome ? lateLocation(c, parts, upstream, outcome) : undefined;
  return { outcome, upstream, headers: callHeaders(c, { applied, servedBy, location }) };
}

/** The place of a late reply, if it comes; undefined if there is no room to keep it. */
function lateLocation(
  c: Context<Env>,
  { keeper, access }: AppParts,
  upstream: UpstreamPort,
  outcome: CallerOutcome,
): string | undefined {
  const kept = keeper.keepLate(upstream.name, callerOf(c, access), outcome);
  return kept && locationOf(kept);
}
