import type { Context } from "hono";
import type { KeptState } from "../../core/kept-replies.ts";
import type { Pointer } from "../../protocols/json-edit.ts";
import { findUpstream, type Message } from "../call/call.ts";
import { departure } from "../call/caller-left.ts";
import { detached, hasEnded, locationOf, outcomeOf, readKey } from "../call/detached.ts";
import { answer, readPick } from "../call/respond.ts";
import { DEFAULT_TIMEOUT_MS, readTimeout, readWait } from "../call/timeout.ts";
import { callerOf } from "../guard.ts";
import type { AppParts, Env, UpstreamPort } from "../ports.ts";
import { commonHeaders } from "../problem.ts";
import { type App, createRoute } from "../routing.ts";

/** Replies that are fetched: of requests that were answered by a 202, and such as came too late. */

/** When to ask again, in seconds, for who does not wait. */
const RETRY_AFTER_S = 1;

const keptRoute = createRoute(
  { method: "get", path: "/v1/requests/{id}" },
  ({ failures, pendingSchema, pickParameter, waitParameter }) => ({
    summary: "Fetch a late or asynchronous reply",
    parameters: [
      { name: "id", in: "path", required: true, schema: { type: "string" } },
      waitParameter,
      pickParameter,
    ] as never,
    responses: {
      200: { description: "The reply, in the media type of its frame" },
      202: { description: "Its reply may still come", content: { "application/json": { schema: pendingSchema } } },
      ...failures,
    },
  }),
);

export function keptRoutes(app: App, { keeper, access, lifecycle, upstreams }: AppParts): void {
  app.openapi(keptRoute, (async (c: Context<Env>) => {
    const pointer = readPick(c);
    const waitMs = readWait(c);
    const kept = keeper.find(c.req.param("id") ?? "", callerOf(c, access));
    const signals = { left: departure(c), stopping: lifecycle.stopping };
    const state = await keeper.wait(kept, hasEnded, waitMs, signals);
    const headers = commonHeaders(c);
    return shown(c, findUpstream(upstreams, kept.upstream), state, headers, locationOf(kept), pointer);
  }) as never);
}

/** Sends the message and answers with a 202, but for what has ended within `waitS` seconds. */
export async function respondAsync(
  c: Context<Env>,
  parts: AppParts,
  upstream: UpstreamPort,
  message: Message,
  waitS: number,
  pointer: Pointer | undefined,
): Promise<Response> {
  const { headers, kind, body } = message;
  // The wait is for the 202; the message's own time is another.
  const call = { kind, body, timeoutMs: readTimeout(c) ?? DEFAULT_TIMEOUT_MS };
  const state = await detached(c, parts, upstream, call, headers, readKey(c), waitS * 1_000);
  headers["Preference-Applied"] = waitS === 0 ? "respond-async" : `respond-async, wait=${waitS}`;
  return shown(c, upstream, state, headers, headers.Location ?? "", pointer);
}

function shown(
  c: Context<Env>,
  upstream: UpstreamPort,
  state: KeptState,
  headers: Record<string, string>,
  location: string,
  pointer: Pointer | undefined,
): Response {
  if (hasEnded(state)) return answer(c, upstream, outcomeOf(state), headers, pointer);
  const late = state.phase === "late" ? state.failed.failure : undefined;
  const body = { state: late ? "late" : "pending", location, ...(late && { code: late.code, sent: late.sent }) };
  return c.json(body, 202, { ...headers, Location: location, "Retry-After": String(RETRY_AFTER_S) });
}
