import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { accepts } from "hono/accepts";
import { refused } from "../errors.ts";
import { graphqlResult, operationOf, subscribeFrame } from "../protocols/graphql.ts";
import { GRAPHQL_TRANSPORT_WS } from "../protocols/graphql-transport-ws.ts";
import { type Body, InvalidMessage } from "../protocols/protocol.ts";
import { exchange, findUpstream, readCall, serverTiming } from "./exchange.ts";
import type { AppParts, Env } from "./ports.ts";
import { problem } from "./problem.ts";
import { failures, keyParameter, waitParameters } from "./schemas.ts";

/** GraphQL over HTTP in front of an upstream that speaks graphql-transport-ws: queries and mutations. */

const JSON_TYPE = "application/json";
/** The newer type, whose status tells whether the operation was executed. */
const RESPONSE_TYPE = "application/graphql-response+json";

const described = {
  summary: "GraphQL over HTTP: queries and mutations",
  request: { body: { required: true, content: { [JSON_TYPE]: { schema: {} } } } as never },
  responses: {
    200: { description: "The result: `data`, `errors`, or both" },
    400: { description: `Not executed; the result has \`errors\` only. So to who accepts ${RESPONSE_TYPE}` },
    ...failures,
  },
};

const graphqlRoute = createRoute({
  method: "post",
  path: "/graphql",
  parameters: [...waitParameters, keyParameter] as never,
  ...described,
});
const graphqlNamedRoute = createRoute({
  method: "post",
  path: "/graphql/{upstream}",
  parameters: [
    { name: "upstream", in: "path", required: true, schema: { type: "string" } },
    ...waitParameters,
    keyParameter,
  ] as never,
  ...described,
});

export function graphqlRoutes(app: OpenAPIHono<Env>, parts: AppParts): void {
  const handle = async (c: Context<Env>): Promise<Response> => {
    const asked = findUpstream(parts.upstreams, c.req.param("upstream") ?? "default");
    const { name } = asked.dialect ?? (await asked.opened);
    if (name !== GRAPHQL_TRANSPORT_WS) {
      throw refused("not_found", `upstream ${asked.name} does not speak ${GRAPHQL_TRANSPORT_WS} but ${name}`);
    }
    const message = await readCall(c, parts, asked, "request", frameOf);
    const { headers } = message;
    const { outcome, upstream } = await exchange(c, parts, asked, message);
    if (outcome.type === "failed") return problem(c, outcome.failure, upstream, headers);
    const result = outcome.type === "reply" ? graphqlResult(outcome.body) : { why: "the upstream gave no result" };
    if ("why" in result)
      return problem(c, { code: "invalid_reply", sent: "yes", detail: result.why }, upstream, headers);
    const type = accepts(c, { header: "Accept", supports: [RESPONSE_TYPE, JSON_TYPE], default: JSON_TYPE });
    headers["Content-Type"] = `${type}; charset=utf-8`;
    if (outcome.type === "reply") headers["Server-Timing"] = serverTiming(c, outcome);
    return c.body(result.result, type === RESPONSE_TYPE && !result.executed ? 400 : 200, headers);
  };
  app.openapi(graphqlRoute, handle);
  app.openapi(graphqlNamedRoute, handle);
}

/** A subscription has results without end: its place is a stream, and the frames of a request would begin it here. */
function frameOf(body: Body): string {
  try {
    const frame = subscribeFrame(body);
    if (operationOf(frame) !== "subscription") return frame;
  } catch (error) {
    if (error instanceof InvalidMessage) throw refused("invalid_request", error.message);
    throw error;
  }
  throw refused(
    "invalid_request",
    "a subscription has more than one result: only queries and mutations are answered here",
  );
}
