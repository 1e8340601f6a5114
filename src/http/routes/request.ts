import type { Context } from "hono";
import { batchFailure } from "../../core/outcome.ts";
import { refused } from "../../errors.ts";
import { call, loadedProtocol, prepare, send } from "../call/call.ts";
import { withUpstream } from "../call/find-upstream.ts";
import { demandOneReply, readPick, respond } from "../call/respond.ts";
import { respondAsync } from "../call/respond-async.ts";
import { readAsync } from "../call/timeout.ts";
import type { AppParts, Env } from "../ports.ts";
import { problem } from "../problem.ts";
import { type App, createRoute } from "../routing.ts";
import { formOf, streamReply } from "../streaming/reply-stream.ts";

const requestRoute = createRoute(
  { method: "post", path: "/v1/upstreams/{upstream}/request" },
  ({ anyMessage, failures, keyParameter, pickParameter, upstreamParameter, waitParameters }) => ({
    summary: "Send one message and wait for its reply",
    parameters: [upstreamParameter, ...waitParameters, keyParameter, pickParameter],
    request: { body: anyMessage },
    responses: {
      200: {
        description:
          "The reply, in the media type of its frame. One of several frames may come as a line or an event each",
      },
      202: { description: "`Prefer: respond-async`: `Location` will have the reply" },
      ...failures,
    },
  }),
);

const sendRoute = createRoute(
  { method: "post", path: "/v1/upstreams/{upstream}/send" },
  ({ anyMessage, failures, keyParameter, upstreamParameter, waitParameters }) => ({
    summary: "Send one message without waiting for a reply",
    parameters: [
      upstreamParameter,
      {
        name: "confirm",
        in: "query",
        description: "`pong`: answer when the peer's pong proves that it has the message",
        schema: { type: "string", enum: ["pong"] },
      },
      ...waitParameters,
      keyParameter,
    ],
    request: { body: anyMessage },
    responses: { 204: { description: "Handed to the socket, which does not prove that it arrived" }, ...failures },
  }),
);

export function requestRoutes(app: App, parts: AppParts): void {
  const named = withUpstream(parts.upstreams);

  app.openapi(requestRoute, named, async (c: Context<Env>) => {
    const pointer = readPick(c);
    const form = formOf(c, await loadedProtocol(c));
    if (form) {
      if (pointer) throw refused("invalid_request", "pick takes a value out of one reply, and a stream has several");
      return streamReply(c, await prepare(c, parts, "stream"), form);
    }
    const request = await prepare(c, parts, "request", pointer && demandOneReply);
    const waitS = readAsync(c);
    if (waitS !== undefined) return respondAsync(c, parts, request, waitS, pointer);
    return respond(c, await send(c, parts, request), pointer);
  });

  app.openapi(sendRoute, named, async (c: Context<Env>) => {
    const confirm = c.req.query("confirm");
    if (confirm !== undefined && confirm !== "pong") throw refused("invalid_request", "confirm must be pong");
    const { outcome, upstream, headers } = await call(c, parts, confirm ? "confirm" : "send");
    const failure = outcome.type === "batch" ? batchFailure(outcome) : "failure" in outcome && outcome.failure;
    if (failure) return problem(c, failure, upstream, headers);
    return c.body(null, 204, confirm ? { ...headers, "Sidesocket-Sent": "yes" } : headers);
  });
}
