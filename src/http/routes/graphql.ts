/** Routes of GraphQL over HTTP for upstreams that speak graphql-transport-ws; results one by one as events or parts. */

import type { Context } from "hono";
import { accepts } from "hono/accepts";
import { parseAccept } from "hono/utils/accept";
import type { Replied } from "../../core/outcome.ts";
import { refused, SidesocketError } from "../../errors.ts";
import {
  bodyOfQuery,
  type GraphqlStep,
  graphqlResult,
  graphqlStep,
  operationOf,
  persistedQueryIn,
  QUERY_PARAMETERS,
  subscribeFrame,
  withQuery,
} from "../../protocols/graphql.ts";
import { InvalidDocument, type Operation } from "../../protocols/graphql-document.ts";
import { GRAPHQL_TRANSPORT_WS } from "../../protocols/graphql-transport-ws.ts";
import { textOf } from "../../protocols/json-message.ts";
import { type Body, InvalidMessage } from "../../protocols/protocol.ts";
import { demandProtocol, openedProtocol, type PreparedRequest, prepare, send } from "../call/call.ts";
import { upstreamOf, withUpstream } from "../call/find-upstream.ts";
import { hashOf, type PersistedQueries, persistedQueriesOf } from "../call/persisted-queries.ts";
import { readInTurns, serverTiming } from "../call/respond.ts";
import type { Env } from "../env.ts";
import type { AppParts, UpstreamPort } from "../ports.ts";
import { failureHeaders, noteFailure, problem, type ResponseHeaders } from "../problem.ts";
import { createRoute, type Route, type RoutedApp, type Schemas } from "../routing.ts";
import { escapeSeparators, event } from "../streaming/render.ts";
import { BEAT, errorEvent, type FrameStep, type ReplyStreamFormat, streamReply } from "../streaming/reply-stream.ts";
import {
  type AcceptedParts,
  acceptedParts,
  errorsOf,
  incrementalParts,
  PARTS_TYPE,
  subscriptionParts,
  unfinished,
} from "../streaming/result-parts.ts";
import { wholeResponse } from "../whole-response.ts";

const JSON_TYPE = "application/json";
const EVENTS_TYPE = "text/event-stream";
/** The newer media type: its status shows whether the operation was executed. */
const RESPONSE_TYPE = "application/graphql-response+json";

const NOT_EXECUTED =
  `Not executed, with \`errors\` only: no GraphQL request, or for callers that accept ${RESPONSE_TYPE}; ` +
  "or a failure";

const described = ({
  CALL_FAILURES,
  CALL_HEADERS,
  failures,
  graphqlResultSchema,
  headers,
  problemSchema,
}: Schemas) => ({
  responses: {
    ...failures(...CALL_FAILURES),
    200: {
      description: "The result: `data`, `errors`, or both",
      headers: headers("Server-Timing", ...CALL_HEADERS),
      content: {
        [JSON_TYPE]: { schema: graphqlResultSchema },
        [RESPONSE_TYPE]: { schema: graphqlResultSchema },
        [EVENTS_TYPE]: { schema: { type: "string" as const } },
        [PARTS_TYPE]: { schema: { type: "string" as const } },
      },
    },
    400: {
      description: NOT_EXECUTED,
      headers: headers("Server-Timing", "Sidesocket-Code", "Sidesocket-Sent", ...CALL_HEADERS),
      content: {
        [JSON_TYPE]: { schema: graphqlResultSchema },
        [RESPONSE_TYPE]: { schema: graphqlResultSchema },
        "application/problem+json": { schema: problemSchema },
      },
    },
  },
});

const SUMMARY =
  "GraphQL over HTTP; with Accept: text/event-stream results come one by one, and subscriptions are allowed; " +
  "with multipart/mixed, results of @defer and @stream come in parts";

/** The routes with one method, of the only upstream and of each by its name. */
function routesOf(method: "get" | "post"): readonly Route[] {
  const query = ["timeout", "idle", ...(method === "get" ? QUERY_PARAMETERS : [])];
  return ["/graphql", "/graphql/{upstream}"].map((path) =>
    createRoute({ method, path, query }, (schemas) => {
      const { graphqlRequestSchema, idleParameter, keyParameter, upstreamParameter, waitParameters } = schemas;
      const { graphqlParameters } = schemas;
      const isNamed = path !== "/graphql";
      const isGet = method === "get";
      return {
        operationId: `${isGet ? "read" : "query"}${isNamed ? "Upstream" : ""}Graphql`,
        tags: ["GraphQL"],
        summary: isGet ? `${SUMMARY} (queries, without mutations)` : SUMMARY,
        parameters: [
          ...(isNamed ? [upstreamParameter] : []),
          ...(isGet ? graphqlParameters : []),
          ...waitParameters,
          idleParameter,
          keyParameter,
        ],
        ...(!isGet && {
          request: { body: { required: true, content: { [JSON_TYPE]: { schema: graphqlRequestSchema } } } },
        }),
        ...described(schemas),
      };
    }),
  );
}

export function graphqlRoutes(app: RoutedApp, parts: AppParts): void {
  const named = withUpstream(parts);
  const handle = async (c: Context<Env>): Promise<Response> => {
    demandProtocol(c, upstreamOf(c).protocol ?? (await openedProtocol(c)), GRAPHQL_TRANSPORT_WS);
    const accepted = acceptedBy(c);
    let format: ReplyStreamFormat | undefined;
    let request: PreparedRequest;
    try {
      const isGet = c.req.method !== "POST";
      const given = isGet ? bodyOfQuery((name) => c.req.query(name)) : undefined;
      const checked = (body: Body): Body => {
        const { frame, operation } = frameOf(body, persistedQueriesOf(upstreamOf(c)));
        format = formatOf(operation, accepted);
        if (isGet && operation?.kind === "mutation") throw new NotByGet();
        return frame;
      };
      request = await prepare(c, parts, "request", checked, given);
    } catch (error) {
      if (error instanceof NotByGet) return problem(c, error.failure, upstreamOf(c), { Allow: "POST" });
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      return notExecuted(c, refusal, accepted.type);
    }
    if (format) return streamReply(c, parts, request, format);
    const { outcome, upstream, headers } = await send(c, parts, request);
    if (outcome.type === "failed") return problem(c, outcome.failure, upstream, headers);
    if (outcome.type !== "reply") return unusable(c, "the upstream sent no result", headers, upstream);
    return respondWith(c, accepted.type, outcome.body, outcome, headers, upstream);
  };
  for (const route of [...routesOf("post"), ...routesOf("get")]) app.openapi(route, named, handle);
}

/** The forms of responses that a caller accepts. */
interface Accepted {
  /** The media type of a response that is no stream of parts; events only if they come first. */
  readonly type: string;
  /** The quality of events; zero if they are not accepted. */
  readonly events: number;
  readonly parts: AcceptedParts;
}

function acceptedBy(c: Context<Env>): Accepted {
  const supports = [RESPONSE_TYPE, JSON_TYPE, EVENTS_TYPE];
  const type = accepts(c, { header: "Accept", supports, default: JSON_TYPE });
  const ranges = parseAccept(c.req.header("Accept") ?? "");
  const quality = (wanted: string) => ranges.find((range) => range.type.toLowerCase() === wanted)?.q;
  return { type, events: quality(EVENTS_TYPE) ?? quality("text/*") ?? 0, parts: acceptedParts(ranges) };
}

/**
 * The format in which the results of an operation are streamed; undefined for an operation with one result.
 * @throws SidesocketError or GraphqlRefusal if the caller accepts none for this operation
 */
function formatOf(operation: Operation | undefined, { type, events, parts }: Accepted): ReplyStreamFormat | undefined {
  if (operation?.kind === "subscription") {
    if (events === 0 && parts.ofSubscription === 0) throw refused("invalid_request", onlyInSeveral);
    return events >= parts.ofSubscription ? eventsOf(operation) : subscriptionParts();
  }
  if (!operation?.inParts) return type === EVENTS_TYPE ? eventsOf(operation) : undefined;
  if (events === 0 && parts.ofResult === 0) throw new GraphqlRefusal("BAD_REQUEST", onlyInParts);
  if (events >= parts.ofResult) return eventsOf(operation);
  return incrementalParts(parts.formats, (c, frames, reply, headers) => {
    const written = frames.map((frame) => textOf(frame) ?? "null").join(",");
    return respondWith(c, type, `[${written}]`, reply, headers, upstreamOf(c));
  });
}

/** Responds with the result in a whole reply: the array of its frames. */
async function respondWith(
  c: Context<Env>,
  type: string,
  frames: Body,
  reply: Replied,
  headers: ResponseHeaders,
  upstream: UpstreamPort,
): Promise<Response> {
  const result = await readInTurns(frames, graphqlResult);
  if ("why" in result) return unusable(c, result.why, headers, upstream);
  const status = type === RESPONSE_TYPE && !result.executed ? 400 : 200;
  // Events are not the form of a whole result, also for a caller who prefers them to parts of it.
  const mediaType = type === EVENTS_TYPE ? JSON_TYPE : type;
  const more = { "Content-Type": `${mediaType}; charset=utf-8`, "Server-Timing": serverTiming(c, reply) };
  return wholeResponse(c, result.result, { ...headers, ...more }, status);
}

function unusable(c: Context<Env>, detail: string, headers: ResponseHeaders, upstream: UpstreamPort): Response {
  return problem(c, { code: "invalid_reply", sent: "yes", detail }, upstream, headers);
}

/**
 * Distinct connections mode of graphql-sse, one stream for each operation:
 * https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md.
 */
function eventsOf(operation: Operation | undefined): ReplyStreamFormat {
  const complete = event("complete", undefined, "");
  // Each result of a subscription may be one in parts.
  const isOfParts = operation?.kind !== "subscription";
  let awaitsNext = false;
  const read = ({ result, last, hasNext }: GraphqlStep): FrameStep => {
    if (isOfParts && hasNext !== undefined) awaitsNext = hasNext;
    if (last && result === undefined && awaitsNext) return { failure: unfinished };
    const next = result === undefined ? "" : event("next", undefined, escapeSeparators(result));
    const isLast = isOfParts && hasNext === false;
    return { text: last || isLast ? `${next}${complete}` : next, isLast };
  };
  return {
    kind: "stream",
    mediaType: `${EVENTS_TYPE}; charset=utf-8`,
    frame: (frame) => readInTurns(frame, (json) => read(graphqlStep(json))),
    end: "",
    // Clients that take each event for a result (urql) would take a problem without `errors` for a good end.
    error: (document) => errorEvent({ ...document, errors: errorsOf(document) }),
    beat: BEAT,
  };
}

const onlyInSeveral =
  "a subscription has more than one result: send Accept: text/event-stream or multipart/mixed;subscriptionSpec=1.0 " +
  "(queries and mutations work without)";
const onlyInParts =
  "@defer and @stream have a result come in parts: send Accept: multipart/mixed or text/event-stream, " +
  "or leave the directives out";

class NotByGet extends SidesocketError {
  constructor() {
    super({ code: "method_not_allowed", sent: "no", detail: "a mutation changes something: send it by POST" });
  }
}

/** Why a request was not sent, as GraphQL has it. */
class GraphqlRefusal extends Error {
  readonly code: string;
  /** True for a request that is well formed: in JSON its response is 200, as that of the upstream would be. */
  readonly isWellFormed: boolean;
  readonly locations: readonly object[] | undefined;

  constructor(code: string, message: string, isWellFormed = false, locations?: readonly object[]) {
    super(message);
    this.code = code;
    this.isWellFormed = isWellFormed;
    this.locations = locations;
  }
}

function refusalOf(error: unknown): GraphqlRefusal | undefined {
  if (error instanceof GraphqlRefusal) return error;
  if (error instanceof InvalidDocument) {
    return new GraphqlRefusal("GRAPHQL_PARSE_FAILED", error.message, true, error.place && [error.place]);
  }
  return error instanceof InvalidMessage ? new GraphqlRefusal("BAD_REQUEST", error.message) : undefined;
}

/** Responds with `errors` alone: nothing was sent. */
function notExecuted(c: Context<Env>, refusal: GraphqlRefusal, accepted: string): Response {
  const { code, message, isWellFormed, locations } = refusal;
  const failure = refused("invalid_request", message).failure;
  noteFailure(c, failure, upstreamOf(c));
  const type = accepted === RESPONSE_TYPE ? RESPONSE_TYPE : JSON_TYPE;
  const error = { message, ...(locations && { locations }), extensions: { code } };
  const headers = { ...failureHeaders(c, failure), "Content-Type": `${type}; charset=utf-8` };
  return c.body(JSON.stringify({ errors: [error] }), isWellFormed && accepted === JSON_TYPE ? 200 : 400, headers);
}

interface CheckedFrame {
  readonly frame: string;
  readonly operation: Operation | undefined;
}

/** The frame to send, and its operation. @throws GraphqlRefusal or InvalidMessage if it cannot be sent */
function frameOf(body: Body, persisted: PersistedQueries): CheckedFrame {
  const written = subscribeFrame(body);
  const named = persistedQueryIn(written);
  if (named === undefined) return { frame: written, operation: operationOf(written) };
  const { hash, query = persisted.get(hash) } = named;
  if (query === undefined) throw new GraphqlRefusal("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound", true);
  if (named.query !== undefined && hashOf(query) !== hash) {
    throw new GraphqlRefusal("BAD_REQUEST", "extensions.persistedQuery.sha256Hash is not that of the query");
  }
  const frame = named.query === undefined ? withQuery(written, query) : written;
  const operation = operationOf(frame);
  persisted.keep(hash, query);
  return { frame, operation };
}
