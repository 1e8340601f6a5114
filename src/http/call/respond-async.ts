/** Responses of asynchronous requests: 202 while pending, then the kept reply. */

import type { Context } from "hono";
import { RETRY_SOON_MS } from "../../core/exchange/failures.ts";
import type { KeptState } from "../../core/kept-replies.ts";
import { DEFAULT_TIMEOUT_MS } from "../../core/outcome.ts";
import type { Pointer } from "../../protocols/json-place.ts";
import type { Env } from "../env.ts";
import type { AppParts, UpstreamPort } from "../ports.ts";
import type { ResponseHeaders } from "../problem.ts";
import type { JsonOf } from "../routing.ts";
import { prepare } from "./call.ts";
import { detached, hasEnded, outcomeOf, readKey } from "./detached.ts";
import { upstreamOf } from "./find-upstream.ts";
import { callHeaders } from "./headers.ts";
import { demandOneReply, respond } from "./respond.ts";
import { readTimeout } from "./timeout.ts";

/** Sends the message; responds with 202, or with the reply if it comes within `waitS` seconds. */
export async function respondAsync(
  c: Context<Env>,
  parts: AppParts,
  waitS: number,
  pointer: Pointer | undefined,
): Promise<Response> {
  const { kind, body } = await prepare(c, parts, "request", pointer && demandOneReply);
  // `Prefer: wait` bounds the wait for the 202, not the request itself.
  const request = { kind, body, timeoutMs: readTimeout(c) ?? DEFAULT_TIMEOUT_MS };
  const { state, location, replayed } = await detached(c, parts, request, readKey(c), waitS * 1_000);
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
): Response | Promise<Response> {
  if (hasEnded(state)) return respond(c, { outcome: outcomeOf(state), upstream, headers }, pointer);
  const late = state.phase === "late" ? state.failed.failure : undefined;
  const body: JsonOf<"pendingSchema"> = {
    state: late ? "late" : "pending",
    location,
    ...(late && { code: late.code, sent: late.sent }),
  };
  return c.json(body, 202, { ...headers, Location: location, "Retry-After": String(RETRY_SOON_MS / 1_000) });
}
