import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { refused } from "../errors.ts";
import { exchange, findUpstream, replyResponse } from "./exchange.ts";
import type { AppParts, Env } from "./ports.ts";
import { problem } from "./problem.ts";
import { rpcBatch } from "./rpc.ts";
import { anyMessage, failures, waitParameters } from "./schemas.ts";

const upstreamParameter = { name: "upstream", in: "path", required: true, schema: { type: "string" } };

const requestRoute = createRoute({
  method: "post",
  path: "/v1/upstreams/{upstream}/request",
  summary: "Send one message and wait for its reply",
  parameters: [upstreamParameter, ...waitParameters] as never,
  request: { body: anyMessage as never },
  responses: { 200: { description: "The reply, in the media type of its frame" }, ...failures },
});

const sendRoute = createRoute({
  method: "post",
  path: "/v1/upstreams/{upstream}/send",
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
  ] as never,
  request: { body: anyMessage as never },
  responses: { 204: { description: "Handed to the socket, which does not prove that it arrived" }, ...failures },
});

export function requestRoutes(app: OpenAPIHono<Env>, parts: AppParts): void {
  app.openapi(requestRoute, async (c: Context<Env>) => {
    const asked = findUpstream(parts.upstreams, c.req.param("upstream") ?? "");
    const { outcome, upstream, headers } = await exchange(c, parts, asked, "request");
    switch (outcome.type) {
      case "reply":
        return replyResponse(c, upstream, outcome, headers);
      case "batch":
        return rpcBatch(c, upstream, outcome.items, headers);
      case "done":
        return c.body(null, 204, headers);
      case "failed":
        return problem(c, outcome.failure, upstream);
    }
  });

  app.openapi(sendRoute, async (c: Context<Env>) => {
    const asked = findUpstream(parts.upstreams, c.req.param("upstream") ?? "");
    const confirm = c.req.query("confirm");
    if (confirm !== undefined && confirm !== "pong") throw refused("invalid_request", "confirm must be pong");
    const { outcome, upstream, headers } = await exchange(c, parts, asked, confirm ? "confirm" : "send");
    if (confirm) headers["Sidesocket-Sent"] = "yes";
    if (outcome.type === "failed") return problem(c, outcome.failure, upstream);
    const failed = outcome.type === "batch" ? outcome.items.find((item) => item.type === "failed") : undefined;
    return failed ? problem(c, failed.failure, upstream) : c.body(null, 204, headers);
  });
}
