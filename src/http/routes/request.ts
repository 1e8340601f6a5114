import type { Context } from "hono";
import { batchFailure } from "../../core/outcome.ts";
import { refused } from "../../errors.ts";
import { call, findUpstream, opened, prepare } from "../call/call.ts";
import { demandOneReply, readPick, respond } from "../call/respond.ts";
import { respondAsync } from "../call/respond-async.ts";
import { readAsync } from "../call/timeout.ts";
import type { AppParts, Env } from "../ports.ts";
import { problem } from "../problem.ts";
import { type App, createRoute } from "../routing.ts";
import { formOf, streamed } from "../streaming/reply-stream.ts";

const requestRoute = createRoute(
  { method: "post", path: "/v1/upstreams/{upstream}/request" },
  ({ anyMessage, failures, keyParameter, pickParameter, upstreamParameter, waitParameters }) => ({
    summary: "Send one message and wait for its reply",
    parameters: [upstreamParameter, ...waitParameters, keyParameter, pickParameter] as never,
    request: { body: anyMessage as never },
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
    ] as never,
    request: { body: anyMessage as never },
    responses: { 204: { description: "Handed to the socket, which does not prove that it arrived" }, ...failures },
  }),
);

export function requestRoutes(app: App, parts: AppParts): void {
  app.openapi(requestRoute, async (c: Context<Env>) => {
    const asked = findUpstream(parts.upstreams, c.req.param("upstream") ?? "");
    const pointer = readPick(c);
    const form = formOf(c, asked.protocol ?? (await opened(c, asked)));
    if (form) {
      if (pointer) throw refused("invalid_request", "pick takes a value out of one reply, and a stream has several");
      return streamed(c, asked, await prepare(c, parts, asked, "stream"), form);
    }
    const message = await prepare(c, parts, asked, "request", pointer && demandOneReply);
    const wait = readAsync(c);
    if (wait !== undefined) return respondAsync(c, parts, asked, message, wait, pointer);
    const { outcome, upstream, headers } = await call(c, parts, asked, message);
    return respond(c, upstream, outcome, headers, pointer);
  });

  app.openapi(sendRoute, async (c: Context<Env>) => {
    const asked = findUpstream(parts.upstreams, c.req.param("upstream") ?? "");
    const confirm = c.req.query("confirm");
    if (confirm !== undefined && confirm !== "pong") throw refused("invalid_request", "confirm must be pong");
    const message = await prepare(c, parts, asked, confirm ? "confirm" : "send");
    const { outcome, upstream, headers } = await call(c, parts, asked, message);
    const failure = outcome.type === "batch" ? batchFailure(outcome) : "failure" in outcome && outcome.failure;
    if (failure) return problem(c, failure, upstream, headers);
    return c.body(null, 204, confirm ? { ...headers, "Sidesocket-Sent": "yes" } : headers);
  });
}
