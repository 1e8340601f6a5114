/** The 202 of requests that go on without their caller, and what a kept reply looks like to who asks for it. */

import type { Context } from "hono";
import type { KeptState } from "../../core/kept-replies.ts";
import type { Pointer } from "../../protocols/json-edit.ts";
import type { AppParts, Env, UpstreamPort } from "../ports.ts";
import type { ResponseHeaders } from "../problem.ts";
import type { JsonOf } from "../routing.ts";
import type { PreparedRequest } from "./call.ts";
import { detached, hasEnded, outcomeOf, readKey } from "./detached.ts";
import { upstreamOf } from "./find-upstream.ts";
import { callHeaders } from "./headers.ts";
import { respond } from "./respond.ts";
import { DEFAULT_TIMEOUT_MS, readTimeout } from "./timeout.ts";

/** When to ask again, in seconds, for who does not wait. */
const RETRY_AFTER_S = 1;

/** Sends the message and answers with a 202, but for what has ended within `waitS` seconds. */
export async function respondAsync(
  c: Context<Env>,
  parts: AppParts,
  request: PreparedRequest,
  waitS: number,
  pointer: Pointer | undefined,
): Promise<Response> {
  const { kind, body } = request;
  // The wait is for the 202; the message's own time is another.
  const call = { kind, body, timeoutMs: readTimeout(c) ?? DEFAULT_TIMEOUT_MS };
  const { state, location, replayed } = await detached(c, parts, call, readKey(c), waitS * 1_000);
  const applied = waitS === 0 ? "respond-async" : `respond-async, wait=${waitS}`;
  const headers = callHeaders(c, { applied, location, replayed });
  return keptReplyResponse(c, upstreamOf(c), state, headers, location ?? "", pointer);
}

export function keptReplyResponse(
  c: Context<Env>,
  upstream: UpstreamPort,
  state: KeptState,
  headers: ResponseHeaders,
  location: string,
  pointer: Pointer | undefined,
): Response {
  if (hasEnded(state)) return respond(c, { outcome: outcomeOf(state), upstream, headers }, pointer);
  const late = state.phase === "late" ? state.failed.failure : undefined;
  const body: JsonOf<"pendingSchema"> = {
    state: late ? "late" : "pending",
    location,
    ...(late && { code: late.code, sent: late.sent }),
  };
  return c.json(body, 202, { ...headers, Location: location, "Retry-After": String(RETRY_AFTER_S) });
}
