/** Routes of GraphQL over HTTP for upstreams that speak graphql-transport-ws; subscriptions as server-sent events. */

import type { Context } from "hono";
import { accepts } from "hono/accepts";
import { refused } from "../../errors.ts";
import { graphqlResult, graphqlStep, operationOf, subscribeFrame } from "../../protocols/graphql.ts";
import { GRAPHQL_TRANSPORT_WS } from "../../protocols/graphql-transport-ws.ts";
import { type Body, InvalidMessage } from "../../protocols/protocol.ts";
import { demandProtocol, openedProtocol, prepare, send } from "../call/call.ts";
import { upstreamOf, withUpstream } from "../call/find-upstream.ts";
import { serverTiming } from "../call/respond.ts";
import type { AppParts, Env } from "../ports.ts";
import { problem } from "../problem.ts";
import { createRoute, type RoutedApp, type Schemas } from "../routing.ts";
import { escapeSeparators, event } from "../streaming/render.ts";
import { BEAT, errorEvent, type ReplyStreamFormat, streamReply } from "../streaming/reply-stream.ts";
import { wholeResponse } from "../whole-response.ts";

const JSON_TYPE = "application/json";
const EVENTS_TYPE = "text/event-stream";
/** The newer media type: its status shows whether the operation was executed. */
const RESPONSE_TYPE = "application/graphql-response+json";

const described = ({
  CALL_FAILURES,
  CALL_HEADERS,
  failures,
  graphqlRequestSchema,
  graphqlResultSchema,
  headers,
  problemSchema,
}: Schemas) => ({
  summary: "GraphQL over HTTP; with Accept: text/event-stream results come one by one, and subscriptions are allowed",
  request: { body: { required: true, content: { [JSON_TYPE]: { schema: graphqlRequestSchema } } } },
  responses: {
    ...failures(...CALL_FAILURES),
    200: {
      description: "The result: `data`, `errors`, or both",
      headers: headers("Server-Timing", ...CALL_HEADERS),
      content: {
        [JSON_TYPE]: { schema: graphqlResultSchema },
        [RESPONSE_TYPE]: { schema: graphqlResultSchema },
        [EVENTS_TYPE]: { schema: { type: "string" as const } },
      },
    },
    400: {
      description: `Not executed, with \`errors\` only, for callers that accept ${RESPONSE_TYPE}; or a failure`,
      headers: headers("Server-Timing", "Sidesocket-Code", "Sidesocket-Sent", ...CALL_HEADERS),
      content: {
        [RESPONSE_TYPE]: { schema: graphqlResultSchema },
        "application/problem+json": { schema: problemSchema },
      },
    },
  },
});

const QUERY = ["timeout", "idle"];

const graphqlRoute = createRoute({ method: "post", path: "/graphql", query: QUERY }, (schemas) => ({
  operationId: "queryGraphql",
  tags: ["GraphQL"],
  parameters: [...schemas.waitParameters, schemas.idleParameter, schemas.keyParameter],
  ...described(schemas),
}));
const graphqlNamedRoute = createRoute({ method: "post", path: "/graphql/{upstream}", query: QUERY }, (schemas) => ({
  operationId: "queryUpstreamGraphql",
  tags: ["GraphQL"],
  parameters: [schemas.upstreamParameter, ...schemas.waitParameters, schemas.idleParameter, schemas.keyParameter],
  ...described(schemas),
}));

export function graphqlRoutes(app: RoutedApp, parts: AppParts): void {
  const named = withUpstream(parts);
  const handle = async (c: Context<Env>): Promise<Response> => {
    demandProtocol(c, upstreamOf(c).protocol ?? (await openedProtocol(c)), GRAPHQL_TRANSPORT_WS);
    const type = accepts(c, {
      header: "Accept",
      supports: [RESPONSE_TYPE, JSON_TYPE, EVENTS_TYPE],
      default: JSON_TYPE,
    });
    const events =
      type === EVENTS_TYPE || accepts(c, { header: "Accept", supports: [EVENTS_TYPE], default: "" }) !== "";
    let streams = type === EVENTS_TYPE;
    const request = await prepare(c, parts, "request", (body) => {
      const { frame, subscribes } = frameOf(body);
      if (subscribes && !events) throw refused("invalid_request", onlyAsEvents);
      streams ||= subscribes;
      return frame;
    });
    if (streams) return streamReply(c, parts, request, distinct);
    const { outcome, upstream, headers } = await send(c, parts, request);
    if (outcome.type === "failed") return problem(c, outcome.failure, upstream, headers);
    const unusable = (detail: string) => problem(c, { code: "invalid_reply", sent: "yes", detail }, upstream, headers);
    if (outcome.type !== "reply") return unusable("the upstream sent no result");
    const result = graphqlResult(outcome.body);
    if ("why" in result) return unusable(result.why);
    const status = type === RESPONSE_TYPE && !result.executed ? 400 : 200;
    const more = { "Content-Type": `${type}; charset=utf-8`, "Server-Timing": serverTiming(c, outcome) };
    return wholeResponse(c, result.result, { ...headers, ...more }, status);
  };
  app.openapi(graphqlRoute, named, handle);
  app.openapi(graphqlNamedRoute, named, handle);
}

/**
 * Distinct connections mode of graphql-sse, one stream for each operation:
 * https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md.
 */
const distinct: ReplyStreamFormat = {
  kind: "stream",
  mediaType: `${EVENTS_TYPE}; charset=utf-8`,
  frame(frame) {
    const { result, last } = graphqlStep(frame);
    const next = result === undefined ? "" : event("next", undefined, escapeSeparators(result));
    return last ? `${next}${event("complete", undefined, "")}` : next;
  },
  end: "",
  error: errorEvent,
  beat: BEAT,
};

const onlyAsEvents =
  "a subscription has more than one result: send Accept: text/event-stream (queries and mutations work without)";

/** The frame to send, and whether it subscribes. @throws SidesocketError if the body is not a GraphQL request */
function frameOf(body: Body): { readonly frame: string; readonly subscribes: boolean } {
  try {
    const frame = subscribeFrame(body);
    return { frame, subscribes: operationOf(frame) === "subscription" };
  } catch (error) {
    if (error instanceof InvalidMessage) throw refused("invalid_request", error.message);
    throw error;
  }
}
