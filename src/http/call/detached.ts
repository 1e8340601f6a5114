/** Requests that go on without their caller: those with an Idempotency-Key, and asynchronous ones. */

import { createHash } from "node:crypto";
import type { Context } from "hono";
import { keyMismatch, RETRY_SOON_MS } from "../../core/exchange/failures.ts";
import type { KeptReply, KeptState, NoRoom } from "../../core/kept-replies.ts";
import type { Failed, Outcome } from "../../core/outcome.ts";
import type { TraceContext } from "../../core/util/traceparent.ts";
import { type Failure, refused, SidesocketError } from "../../errors.ts";
import type { Body } from "../../protocols/protocol.ts";
import type { OutgoingRequest } from "../../sidecar/host/upstream-client.ts";
import type { Env } from "../env.ts";
import { callerOf } from "../guard.ts";
import type { AppParts } from "../ports.ts";
import { header } from "../request-header.ts";
import { pathOf } from "../upstream-path.ts";
import { leaveSignal } from "./caller-left.ts";
import { requestInTurn } from "./failover.ts";
import { upstreamOf } from "./find-upstream.ts";
import { holderFor } from "./holder.ts";

/** A message, and how long to wait for its reply. */
export interface CallerRequest extends Pick<OutgoingRequest, "kind" | "body" | "unanswered"> {
  readonly timeoutMs: number;
  readonly trace?: TraceContext | undefined;
}

/** Printable ASCII. RFC 8941 wants a quoted string, most callers send a bare one: the whole value is the key. */
const KEY = /^[\x20-\x7e]{1,255}$/;

/** The `Idempotency-Key`, if any. @throws SidesocketError if it is not 1 to 255 printable ASCII characters */
export function readKey(c: Context<Env>): string | undefined {
  const key = header(c, "idempotency-key");
  if (key === undefined || KEY.test(key)) return key;
  throw refused("invalid_request", "Idempotency-Key must be 1 to 255 printable ASCII characters");
}

/** The path at which the reply can be fetched. */
export function locationOf({ id }: Pick<KeptReply, "id">): string {
  return `/v1/requests/${id}`;
}

export interface DetachedResult {
  readonly state: KeptState;
  /** The place of a reply that has not arrived; undefined if the request has ended. */
  readonly location: string | undefined;
  /** True if an earlier request with the same key had ended before this one came, at this replica or another. */
  readonly replayed: boolean;
}

/**
 * Sends a message, unless an earlier one had the same key: then that one's outcome counts. Waits for the outcome:
 * `waitMs`, or else until the message's own deadline.
 * @throws SidesocketError `mismatch`: the key was used for another message; `too_many_in_flight`: no room to keep it
 */
export async function detached(
  c: Context<Env>,
  { keeper, lifecycle, quotas, upstreams }: AppParts,
  { kind, body, unanswered, timeoutMs, trace }: CallerRequest,
  key: string | undefined,
  waitMs?: number,
): Promise<DetachedResult> {
  const upstream = upstreamOf(c);
  const owner = callerOf(c).identity;
  // A key counts on `/rpc` and on `/v1` alike: the message must not be sent twice because of its route.
  const scope =
    key === undefined ? undefined : [owner, pathOf(upstream), kind === "rpc" ? "request" : kind, key].join(" ");
  const digest = key === undefined ? undefined : digestOf(body);
  const former = scope === undefined ? undefined : keeper.byKey(scope);
  if (former && former.digest !== digest) throw new SidesocketError(keyMismatch);
  let replayed = former !== undefined && former.state.phase !== "pending";

  const leave = former ? undefined : quotas?.request(upstream, callerOf(c).share, body.length);
  const request = async () => {
    const shared = scope === undefined || digest === undefined ? undefined : { id: digestOf(scope), digest };
    const outgoing = { kind, body, unanswered, timeoutMs, trace, key: shared };
    const { outcome } = await requestInTurn(upstreams, upstream, outgoing, leave);
    replayed ||= outcome.isReplayed === true;
    return outcome;
  };
  const { name, isShared } = upstream;
  const holder = holderFor(upstreams, upstream);
  const kept = former ?? keeper.keep({ upstream: name, holder, key: scope, digest, isShared }, owner, request);
  if (typeof kept === "string") leave?.();
  if (typeof kept === "string") throw refused("too_many_in_flight", whyNoRoom[kept], RETRY_SOON_MS);

  const signals = { left: leaveSignal(c), stopping: lifecycle.stopping };
  // The first caller waits until the message's own deadline; a repeated one waits for a late reply, too.
  const isEnough = (state: KeptState) => (former ? hasEnded(state) : state.phase !== "pending");
  const within = waitMs ?? (former ? timeoutMs : Number.POSITIVE_INFINITY);
  const state = await keeper.wait(kept, isEnough, within, signals);
  if (isMismatch(state)) throw new SidesocketError(state.outcome.failure);
  return { state, location: hasEnded(state) ? undefined : locationOf(kept), replayed };
}

/** The outcome for a caller that waits no longer. */
export function outcomeOf(state: KeptState): Outcome {
  switch (state.phase) {
    case "ended":
      return state.outcome;
    case "late":
      return state.failed;
    case "pending":
      return { type: "failed", failure: stillPending };
    case "dropped":
      return { type: "failed", failure: { code: "gone", sent: state.sent, detail: dropped } };
  }
}

export function hasEnded({ phase }: KeptState): boolean {
  return phase === "ended" || phase === "dropped";
}

/** True if another replica knows the key for another message. */
function isMismatch(state: KeptState): state is { readonly phase: "ended"; readonly outcome: Failed } {
  return state.phase === "ended" && state.outcome.type === "failed" && state.outcome.failure.code === "mismatch";
}

const stillPending: Failure = {
  code: "reply_timeout",
  sent: "maybe",
  detail: "no reply came in time; the first request with this Idempotency-Key is still pending",
};

const dropped = "the reply is no longer kept (replies.bytes, replies.count, limits.memory)";

const whyNoRoom: Readonly<Record<NoRoom, string>> = {
  full: "replies.count is reached by pending requests and Idempotency-Keys, which live for replies.keep: wait for one",
  share: "your share of the Idempotency-Keys that can be kept is used up (quota.keys): they live for replies.keep",
};

function digestOf(body: Body): string {
  const kind = typeof body === "string" ? "text" : "bytes";
  return createHash("sha256").update(kind).update(body).digest("base64url");
}
