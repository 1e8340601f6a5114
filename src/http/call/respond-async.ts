/** The 202 of requests that go on without their caller, and what a kept reply looks like to who asks for it. */

import type { Context } from "hono";
import { RETRY_SOON_MS } from "../../core/exchange/failures.ts";
import type { KeptState } from "../../core/kept-replies.ts";
import type { Pointer } from "../../protocols/json-edit.ts";
import type { AppParts, Env, UpstreamPort } from "../ports.ts";
import type { PreparedRequest } from "./call.ts";
import { detached, hasEnded, outcomeOf, readKey } from "./detached.ts";
import { respond } from "./respond.ts";
import { DEFAULT_TIMEOUT_MS, readTimeout } from "./timeout.ts";

/** Sends the message and answers with a 202, but for what has ended within `waitS` seconds. */
export async function respondAsync(
  c: Context<Env>,
  parts: AppParts,
  upstream: UpstreamPort,
  message: PreparedRequest,
  waitS: number,
  pointer: Pointer | undefined,
): Promise<Response> {
  const { headers, kind, body } = message;
  // The wait is for the 202; the message's own time is another.
  const call = { kind, body, timeoutMs: readTimeout(c) ?? DEFAULT_TIMEOUT_MS };
  const state = await detached(c, parts, upstream, call, headers, readKey(c), waitS * 1_000);
  headers["Preference-Applied"] = waitS === 0 ? "respond-async" : `respond-async, wait=${waitS}`;
  return keptReplyResponse(c, upstream, state, headers, headers.Location ?? "", pointer);
}

export function keptReplyResponse(
  c: Context<Env>,
  upstream: UpstreamPort,
  state: KeptState,
  headers: Record<string, string>,
  location: string,
  pointer: Pointer | undefined,
): Response {
  if (hasEnded(state)) return respond(c, upstream, outcomeOf(state), headers, pointer);
  const late = state.phase === "late" ? state.failed.failure : undefined;
  const body = { state: late ? "late" : "pending", location, ...(late && { code: late.code, sent: late.sent }) };
  return c.json(body, 202, { ...headers, Location: location, "Retry-After": String(RETRY_SOON_MS / 1_000) });
}
