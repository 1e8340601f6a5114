import { createHash } from "node:crypto";
import type { Context } from "hono";
import { RETRY_SOON_MS } from "../../core/exchange/failures.ts";
import type { KeptReply, KeptState } from "../../core/kept-replies.ts";
import type { Outcome, RequestKind } from "../../core/outcome.ts";
import { type Failure, refused } from "../../errors.ts";
import type { Body } from "../../protocols/protocol.ts";
import { callerOf } from "../guard.ts";
import type { AppParts, Env, UpstreamPort } from "../ports.ts";
import { leaveSignal } from "./caller-left.ts";
import { requestInTurn } from "./failover.ts";

/** Requests that go on without their caller: those with an Idempotency-Key, and those that are answered by a 202. */

/** A caller's message, and how long to wait for its reply. */
export interface CallerRequest {
  readonly kind: RequestKind;
  readonly body: Body;
  readonly timeoutMs: number;
}

/** Visible characters and spaces: RFC 8941 has it as a string, most callers send a bare one, and all is one key to us. */
const KEY = /^[\x20-\x7e]{1,255}$/;

/** The `Idempotency-Key`; undefined when there is none. Throws a SidesocketError for one that is none. */
export function readKey(c: Context<Env>): string | undefined {
  const key = c.req.header("idempotency-key");
  if (key === undefined || KEY.test(key)) return key;
  throw refused("invalid_request", "Idempotency-Key must be 1 to 255 printable ASCII characters");
}

/** Where the reply is, or will be. */
export function locationOf({ id }: KeptReply): string {
  return `/v1/requests/${id}`;
}

/**
 * Sends a message up, unless one with the same key has gone before: then that one's end counts, and `headers` say so.
 * Waits for how it ends: `waitMs`, or as long as the message's own time.
 * @throws SidesocketError `mismatch`: the key was used for another message; `too_many_in_flight`: no room to keep it
 */
export async function detached(
  c: Context<Env>,
  { keeper, lifecycle, access, upstreams }: AppParts,
  upstream: UpstreamPort,
  { kind, body, timeoutMs }: CallerRequest,
  headers: Record<string, string>,
  key: string | undefined,
  waitMs?: number,
): Promise<KeptState> {
  const owner = callerOf(c, access);
  const scope = key === undefined ? undefined : [owner, upstream.name, kind, key].join(" ");
  const digest = key === undefined ? undefined : digestOf(body);
  const former = scope === undefined ? undefined : keeper.byKey(scope);
  if (former && former.digest !== digest) {
    throw refused("mismatch", "this Idempotency-Key was used for another message; a new message needs a new key");
  }
  if (former && former.state.phase !== "pending") headers["Idempotency-Replayed"] = "true";

  const ask = async () => (await requestInTurn(upstreams, upstream, { kind, body, timeoutMs })).outcome;
  const kept = former ?? keeper.keep({ upstream: upstream.name, key: scope, digest }, owner, ask);
  if (!kept)
    throw refused("too_many_in_flight", "as many requests as are kept (replies.count) are on their way", RETRY_SOON_MS);

  const signals = { left: leaveSignal(c), stopping: lifecycle.stopping };
  // Who comes first has the message's own deadline; who comes again waits for a late reply, too.
  const isEnough = (state: KeptState) => (former ? hasEnded(state) : state.phase !== "pending");
  const within = waitMs ?? (former ? timeoutMs : Number.POSITIVE_INFINITY);
  const state = await keeper.wait(kept, isEnough, within, signals);
  if (!hasEnded(state)) headers.Location = locationOf(kept);
  return state;
}

/** How a request ended for who can wait no longer. */
export function outcomeOf(state: KeptState): Outcome {
  switch (state.phase) {
    case "ended":
      return state.outcome;
    case "late":
      return state.failed;
    case "pending":
      return { type: "failed", failure: stillPending };
    case "dropped":
      return { type: "failed", failure: noRoom };
  }
}

export function hasEnded({ phase }: KeptState): boolean {
  return phase === "ended" || phase === "dropped";
}

const stillPending: Failure = {
  code: "reply_timeout",
  sent: "maybe",
  detail: "no reply came in time; the first request with this Idempotency-Key waits for it still",
};

const noRoom: Failure = {
  code: "gone",
  sent: "yes",
  detail: "it was sent, and its reply is no longer kept (replies.bytes, replies.count)",
};

function digestOf(body: Body): string {
  const kind = typeof body === "string" ? "text" : "bytes";
  return createHash("sha256").update(kind).update(body).digest("base64url");
}
