/** Parameters, headers and responses that routes share in the OpenAPI document. */

import type { ErrorCode } from "../errors.ts";
import { HTTP_CODES, statusFor, titleFor } from "./problem.ts";

/** The groups of routes, in the order of the document. */
export const TAGS = {
  Requests: "Send a message, with or without waiting for its reply",
  "JSON-RPC": "JSON-RPC 2.0 over HTTP, for clients that know nothing of sidesocket",
  GraphQL: "GraphQL over HTTP, for upstreams that speak graphql-transport-ws",
  Instances: "Connections of one caller each, with all that an upstream has",
  Messages: "What the upstream sends unsolicited: pages, lines or events",
  Subscriptions: "Standing requests for messages, renewed on every connect",
  State: "Probes, upstreams and version",
  Exit: "The ordered end of the process",
  Reload: "A changed configuration, without a restart",
} as const;

/** Any JSON: its shape is the upstream's business, so nothing is validated or parsed. */
export const json = { schema: { $ref: "#/components/schemas/Json" } };
const text = { schema: { type: "string" } } as const;
const bytes = { schema: { type: "string", format: "binary" } } as const;

const EXAMPLE = { jsonrpc: "2.0", id: "a", method: "echo", params: [1] };

/** A message of any protocol. */
export const anyMessage = {
  required: true,
  description: "One message, which becomes the frame; the upstream's protocol says which media types it takes",
  content: {
    "application/json": { ...json, example: EXAMPLE },
    "text/plain": text,
    "application/octet-stream": bytes,
  },
};

/** A JSON-RPC message or batch. */
export const rpcMessage = { required: true, content: { "application/json": { ...json, example: EXAMPLE } } };

/** The order of a subscription, whose schema is that of the configuration. */
export const subscriptionOrder = {
  required: true,
  content: {
    "application/json": {
      schema: { $ref: "#/components/schemas/SubscriptionOrder" },
      example: { name: "heads", preset: "eth_subscribe", params: ["newHeads"] },
    },
  },
};

/** A reply in the media type of its frame. */
export const replyContent = {
  "application/json": { ...json, example: { jsonrpc: "2.0", id: "a", result: [1] } },
  "text/plain": text,
  "application/octet-stream": bytes,
};

/** Replies and messages one by one. */
export const streamContent = { "application/x-ndjson": text, "text/event-stream": text };

/** Events as they come. */
export const eventContent = { "text/event-stream": text };

/** The two formats of metrics. */
export const metricsContent = { "text/plain": text, "application/openmetrics-text": text };

/** Narrower than the package's own type, which is a union over three versions of OpenAPI. */
export type Parameter = {
  name: string;
  in: "path" | "query" | "header";
  required?: boolean;
  description?: string;
  example?: string;
  schema: ParameterSchema;
};

type ParameterSchema = {
  type: "string" | "integer" | "boolean" | "array";
  items?: ParameterSchema;
  enum?: string[];
  default?: string | number | boolean;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
};

export const upstreamParameter: Parameter = {
  name: "upstream",
  in: "path",
  required: true,
  description: "The name of an upstream; `default` names the only one, too",
  example: "default",
  schema: { type: "string" },
};

/** Parameters of routes that wait for a reply. Handlers read them without a schema: this is the hot path. */
export const waitParameters: Parameter[] = [
  query("timeout", "How long to wait for the reply: `10`, `2.5s`, `500ms`; a bare number is seconds, at most 120s", {
    type: "string",
    default: "25s",
  }),
  header("Prefer", "`wait=N`, in seconds, and on `/request` also `respond-async` (RFC 7240)", { type: "string" }),
];

/** The parameter of streams, whose `timeout` is only for their first frame. */
export const idleParameter: Parameter = query(
  "idle",
  "The longest pause between two frames of a stream: `10`, `500ms`; at most `limits.reply_pause`",
  { type: "string" },
);

export const bodyIdleParameter: Parameter = query(
  "idle",
  "The longest pause of a body that is sent in frames, within which 1 KiB or a frame must come: `10`, `500ms`; " +
    "30 s by default, at most 120 s",
  { type: "string" },
);

/** The parameters of GraphQL by GET. */
export const graphqlParameters: Parameter[] = [
  query("query", "The document; left out if `extensions` name its hash", { type: "string" }),
  query("operationName", "The operation of the document to run", { type: "string" }),
  query("variables", "The variables, as JSON", { type: "string" }),
  query("extensions", "The extensions, as JSON", { type: "string" }),
];

/** The parameter of streams of events, for clients that cannot send a token. */
export const ticketParameter: Parameter = query("ticket", "A ticket in place of the token; events only", {
  type: "string",
});

/** Parameters of routes that read messages. */
export const messageParameters: Parameter[] = [
  upstreamParameter,
  query("after", "Where to begin: after this cursor, at `earliest`, or at `latest`", {
    type: "string",
    default: "earliest",
  }),
  query("limit", "The maximum number of messages in a page", {
    type: "integer",
    minimum: 1,
    maximum: 1_000,
    default: 100,
  }),
  query("wait", "How long a page waits for its first message: `10`, `2.5s`; at most 120s", {
    type: "string",
    default: "0",
  }),
  query("where", "Only messages with this value at this JSON pointer: `/params/type=trade`; all conditions must hold", {
    type: "array",
    items: { type: "string" },
  }),
  query("poll", "`1`: a stream sends the messages that are kept, and ends", {
    type: "string",
    enum: ["0", "1"],
    default: "0",
  }),
  query("lastEventId", "The same as `Last-Event-ID`, from clients that cannot set the header; events only", {
    type: "string",
  }),
  query("last_event_id", "Another name of `lastEventId`", { type: "string" }),
  ticketParameter,
  header("Last-Event-ID", "The cursor that an EventSource has reached; takes precedence over `after`", {
    type: "string",
  }),
];

export const acknowledgeParameters: Parameter[] = [
  upstreamParameter,
  {
    ...query("through", "The cursor of a message, or the `next` of a page: all messages up to it are acknowledged", {
      type: "string",
    }),
    required: true,
  },
];

/** The parameter of routes that name a message. */
export const cursorParameter: Parameter = {
  name: "cursor",
  in: "path",
  required: true,
  description: "The cursor of the message, of the upstream or of one of its subscriptions",
  schema: { type: "string" },
};

/** The parameter of the routes of an instance. */
export const instanceParameter: Parameter = {
  name: "instance",
  in: "path",
  required: true,
  description: "The id of an instance of yours",
  schema: { type: "string" },
};

/** The parameter of routes that name a subscription or a kept reply. */
export function idParameter(of: string): Parameter {
  return { name: "id", in: "path", required: true, description: of, schema: { type: "string" } };
}

export const waitParameter = query("wait", "How long to wait for the reply: `10`, `2.5s`; at most 120s", {
  type: "string",
  default: "0",
});

/** Parameter of routes whose requests may be repeated. */
export const keyParameter: Parameter = header(
  "Idempotency-Key",
  "Of requests with the same key, message and token only one is sent; the others get its reply",
  { type: "string", minLength: 1, maxLength: 255 },
);

export const pickParameter = query(
  "pick",
  "A JSON pointer, such as `/result/price`: the response is the value there, as bare text",
  { type: "string" },
);

function query(name: string, description: string, schema: ParameterSchema): Parameter {
  return { name, in: "query", description, schema };
}

function header(name: string, description: string, schema: ParameterSchema): Parameter {
  return { name, in: "header", description, schema };
}

const string = { type: "string" } as const;

/** Headers of responses, by name. */
export const HEADERS = {
  "X-Request-Id": { description: "The caller's own, or one of ours", required: true, schema: string },
  "Sidesocket-Code": { description: "The code of the failure", schema: { $ref: "#/components/schemas/Code" } },
  "Sidesocket-Sent": {
    description: "Whether the message was sent",
    schema: { $ref: "#/components/schemas/Sent" },
  },
  "Sidesocket-Frames": { description: "The number of frames that the body was sent as", schema: string },
  "Sidesocket-Upstream": { description: "The upstream that replied, if it has equivalents (failover)", schema: string },
  "Retry-After": {
    description: "Seconds; with a failure only where repeating is safe and may help",
    schema: { type: "integer", minimum: 0 },
  },
  "Server-Timing": {
    description: "Milliseconds until the message was sent, from then to its reply, and in all",
    schema: string,
  },
  Location: { description: "The path of what was created, or of a reply that may still come", schema: string },
  "Preference-Applied": { description: "The part of `Prefer` that was followed (RFC 7240)", schema: string },
  "Idempotency-Replayed": {
    description: "`true` if the outcome is that of an earlier request with the same key",
    schema: string,
  },
  "WWW-Authenticate": { description: "The kind of token", schema: string },
} as const;

type HeaderName = keyof typeof HEADERS;

/** References to headers of a response, besides `X-Request-Id`, which every response has. */
export function headers(...names: HeaderName[]) {
  return Object.fromEntries(
    ["X-Request-Id", ...names].map((name) => [name, { $ref: `#/components/headers/${name}` }] as const),
  );
}

/** Headers of a response to a message, which depend on how it was sent. */
export const CALL_HEADERS = [
  "Preference-Applied",
  "Idempotency-Replayed",
  "Sidesocket-Upstream",
] as const satisfies readonly HeaderName[];

/** A response in JSON. */
export function jsonResponse<Schema>(description: string, schema: Schema, ...names: HeaderName[]) {
  return { description, headers: headers(...names), content: { "application/json": { schema } } };
}

/** Failures that any route can have: those of its parameters, of its callers, and of sidesocket itself. */
const COMMON = ["invalid_request", "unauthorized", "forbidden", "misdirected", "internal_error"] as const;

/** Failures of a message that is to be sent, in time, over a connection. */
export const CALL_FAILURES = [
  "not_found",
  "gone",
  "payload_too_large",
  "unsupported_media_type",
  "mismatch",
  "too_many_in_flight",
  "connection_lost",
  "upstream_down",
  "not_ready",
  "reply_timeout",
] as const satisfies readonly ErrorCode[];

/** Failures of a request that does not reach the routes. */
const BELOW_ROUTES = ["invalid_request"] as const;

/** References to the failures of a route, besides those that every route can have. */
export function failures(...codes: ErrorCode[]) {
  return failureResponses("Failure", [...COMMON, ...codes]);
}

/** The failures of a probe, which asks for nothing. */
export function probeFailures() {
  return failureResponses("Failure", BELOW_ROUTES);
}

/** The failures of a JSON-RPC route: that of a message that may have been sent has the status 200. */
export function rpcFailures(...codes: ErrorCode[]) {
  return failureResponses("RpcFailure", [...COMMON, ...codes]);
}

type FailureForm = "Failure" | "RpcFailure";

function failureResponses(form: FailureForm, codes: readonly ErrorCode[]) {
  const statuses = [...new Set(codes.map((code) => statusFor({ code })))].sort((a, b) => a - b);
  return Object.fromEntries(
    [...statuses, "default"].map((status) => [status, { $ref: `#/components/responses/${form}${nameOf(status)}` }]),
  );
}

function nameOf(status: number | string): string {
  return status === "default" ? "" : String(status);
}

/** The responses that {@link failures} and its like refer to, by name. */
export function failureComponents(): Record<string, { description: string }> {
  const statuses = new Set(HTTP_CODES.map((code) => statusFor({ code })));
  const components: Record<string, { description: string }> = {};
  for (const form of ["Failure", "RpcFailure"] as const) {
    for (const status of statuses) {
      const codes = HTTP_CODES.filter((code) => statusFor({ code }) === status);
      components[`${form}${status}`] = failure(
        form,
        `One of: ${codes.map((code) => `\`${code}\` (${titleFor({ code })})`).join(", ")}`,
      );
    }
    components[form] = failure(form, "Any other failure, such as of a request that cannot be read");
  }
  return components;
}

function failure(form: FailureForm, description: string) {
  const problem = { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } };
  const rpcError = { "application/json": { schema: { $ref: "#/components/schemas/RpcError" } } };
  return {
    description,
    headers: headers(
      "Sidesocket-Code",
      "Sidesocket-Sent",
      "Retry-After",
      "Location",
      ...CALL_HEADERS,
      "WWW-Authenticate",
    ),
    // Below the routes every failure is a problem document.
    content: form === "Failure" ? problem : { ...rpcError, ...problem },
  };
}
