/** Calls of an upstream: the one way up and down, for every route that sends a message. */

import type { Context } from "hono";
import type { CallerOutcome, RequestKind } from "../../core/outcome.ts";
import { refused } from "../../errors.ts";
import type { Body } from "../../protocols/protocol.ts";
import type { ProtocolTraits } from "../../sidecar/contract.ts";
import { demandAccepting } from "../demand-accepting.ts";
import type { Env } from "../env.ts";
import { callerOf } from "../guard.ts";
import type { AppParts, UpstreamPort } from "../ports.ts";
import { pathOf } from "../upstream-path.ts";
import { readMessage } from "./body.ts";
import { leaveSignal } from "./caller-left.ts";
import { type CallerRequest, detached, locationOf, outcomeOf, readKey } from "./detached.ts";
import { requestInTurn, type UpstreamOutcome } from "./failover.ts";
import { upstreamOf } from "./find-upstream.ts";
import { callHeaders } from "./headers.ts";
import { holderFor } from "./holder.ts";
import { readWaitLimit } from "./timeout.ts";

/** A request that is ready to be sent. */
export interface PreparedRequest extends CallerRequest {
  /** The preference that `timeoutMs` follows (RFC 7240). */
  readonly applied: string | undefined;
}

export interface CallResult extends UpstreamOutcome {
  /** Headers of the response, whatever it makes of the outcome; the record is its own, to be completed. */
  readonly headers: Record<string, string>;
}

/** Turns the caller's message into the frame to send, or refuses it. */
type FrameOf = (body: Body, protocol: ProtocolTraits) => Body;

/** Prepares the caller's message, sends it and waits for its outcome. */
export async function call(
  c: Context<Env>,
  parts: AppParts,
  kind: RequestKind,
  frameOf?: FrameOf,
): Promise<CallResult & { readonly request: PreparedRequest }> {
  const request = await prepare(c, parts, kind, frameOf);
  const { outcome, upstream, headers } = await send(c, parts, request);
  return { outcome, upstream, headers, request };
}

/**
 * Waits within the request's timeout until the thread has loaded the protocol of the path's upstream. Only for an
 * upstream whose `protocol` is undefined: to await one that is there would delay each request by a turn.
 */
export async function openedProtocol(c: Context<Env>): Promise<ProtocolTraits> {
  const protocol = await upstreamOf(c).openedWithin(readWaitLimit(c).timeoutMs);
  const record = c.get("record");
  record.openedAfterMs = performance.now() - record.began;
  return protocol;
}

/** @throws SidesocketError `not_found`: the upstream speaks another protocol */
export function demandProtocol(c: Context<Env>, { name }: ProtocolTraits, protocol: string): void {
  if (name === protocol) return;
  const upstream = upstreamOf(c);
  const cure = `use ${pathOf(upstream)}/request`;
  throw refused("not_found", `upstream "${upstream.name}" speaks ${name}, not ${protocol}: ${cure}`);
}

/**
 * Reads the caller's message.
 * @param given the message of a request that has no body
 * @throws SidesocketError if it cannot be sent
 */
export async function prepare(
  c: Context<Env>,
  parts: AppParts,
  kind: RequestKind,
  frameOf: FrameOf = (body) => body,
  given?: Body,
): Promise<PreparedRequest> {
  demandAccepting(parts.lifecycle);
  const { timeoutMs, applied } = readWaitLimit(c);
  const { protocol: loaded, settings } = upstreamOf(c);
  const protocol = loaded ?? (await openedProtocol(c));
  const body = given ?? (await readMessage(c, protocol, settings.limits.request_bytes, parts));
  const { openedAfterMs = 0, trace } = c.get("record");
  return { kind, body: frameOf(body, protocol), timeoutMs: Math.max(1, timeoutMs - openedAfterMs), applied, trace };
}

/** Sends the request and waits for its outcome, which may be that of an equivalent of the upstream. */
export async function send(c: Context<Env>, parts: AppParts, prepared: PreparedRequest): Promise<CallResult> {
  const { kind, body, unanswered, timeoutMs, applied, trace } = prepared;
  const named = upstreamOf(c);
  const key = readKey(c);
  if (key !== undefined) {
    const { state, location, replayed } = await detached(c, parts, prepared, key);
    return { outcome: outcomeOf(state), upstream: named, headers: callHeaders(c, { applied, location, replayed }) };
  }
  const signal = leaveSignal(c);
  const leave = parts.quotas?.request(named, callerOf(c).share, body.length);
  const request = { kind, body, unanswered, timeoutMs, trace, signal };
  const { outcome, upstream } = await requestInTurn(parts.upstreams, named, request, leave);
  if (upstream !== named) c.get("record").servedBy = upstream;
  const servedBy = named.settings.failover.length > 0 ? upstream.name : undefined;
  const location = "later" in outcome ? lateLocation(c, parts, upstream, outcome) : undefined;
  return { outcome, upstream, headers: callHeaders(c, { applied, servedBy, location }) };
}

/** The place of a late reply, if it comes; undefined if there is no room to keep it. */
function lateLocation(
  c: Context<Env>,
  { keeper, upstreams }: AppParts,
  upstream: UpstreamPort,
  outcome: CallerOutcome,
): string | undefined {
  const kept = keeper.keepLate(upstream.name, callerOf(c).identity, outcome, holderFor(upstreams, upstream));
  return kept && locationOf(kept);
}
