/** Schemas and parameters of the HTTP API, for the handlers' types and for the OpenAPI document. */

import { z } from "@hono/zod-openapi";

const sent = z.enum(["no", "maybe", "yes"]);

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    sent: sent.describe(
      "no: never handed to the socket; maybe: handed over, without proof of arrival; yes: arrival is proven",
    ),
    retry_safe: z.boolean(),
    retry: z
      .enum(["never", "later", "now"])
      .describe(
        "never: the same request fails again; later: once something has passed; now: nothing stands in its way",
      ),
    request_id: z.string(),
    upstream: z.string().optional(),
    upstream_state: z.string().optional(),
  })
  .openapi("Problem");

export const upstreamStateSchema = z
  .object({
    name: z.string(),
    url: z.string().describe("scheme, host and port only"),
    protocol: z.string(),
    required: z.boolean(),
    phase: z.enum(["idle", "connecting", "greeting", "ready", "waiting", "refused", "closing", "closed"]),
    since: z.string().describe("RFC 3339"),
    attempts: z.int().describe("failed attempts since the upstream last proved itself"),
    last_error: z.string().nullable(),
    found_dead_by: z
      .enum(["ping", "heartbeat", "silence"])
      .nullable()
      .describe("the check that last found a connection dead"),
    retry_in_ms: z.int().nullable(),
    in_flight: z.int(),
    /** This and the other nullable figures are null if the thread did not reply in time. */
    last_frame_age_ms: z.int().nullable(),
    round_trip_ms: z.number().nullable(),
    buffered_bytes: z.int().nullable(),
    readers: z.int().describe("readers of messages: streams and long polls"),
    kept: z
      .object({ messages: z.int(), bytes: z.int() })
      .nullable()
      .describe("unsolicited messages; gaps count as messages"),
    webhooks: z.array(
      z.object({
        url: z.string().describe("scheme and host only"),
        acknowledged: z.string().nullable().describe("the cursor after the last acknowledged batch"),
        delivered: z.int(),
        failures: z.int().describe("failed attempts since the last acknowledged batch"),
        last_error: z.string().nullable(),
        given_up: z.int().describe("messages that the receiver refused, and got as gaps"),
        stopped: z
          .boolean()
          .describe("true if nothing more is sent: the receiver answered 410, or the journal is gone"),
      }),
    ),
    counters: z.record(z.string(), z.int()).nullable(),
  })
  .openapi("Upstream");

const bytes = z.int().nonnegative();

const memorySchema = z
  .object({
    limit_bytes: bytes.describe("limits.memory"),
    held_bytes: bytes.describe("what callers and upstreams make the process hold"),
    accounts: z
      .object({ bodies: bytes, in_flight: bytes, answers: bytes, pages: bytes, journals: bytes, kept: bytes })
      .describe("held_bytes by its owner"),
    refuses: z
      .enum(["nothing", "streams", "bodies", "everything", "ready"])
      .describe("the furthest step of the pressure: each includes those before"),
  })
  .openapi("Memory");

export const upstreamListSchema = z
  .object({ upstreams: z.array(upstreamStateSchema), memory: memorySchema })
  .openapi("Upstreams");

export const livenessSchema = z.object({ status: z.literal("alive") }).openapi("Liveness");

export const readinessSchema = z
  .object({
    status: z.enum(["ready", "not_ready", "congested", "shutting_down"]),
    upstreams: z.record(z.string(), z.string()).optional().describe("phases by name; only with a token"),
    errors: z
      .record(z.string(), z.string())
      .optional()
      .describe("last errors of upstreams that are not ready, by name; only with a token"),
  })
  .openapi("Readiness");

export const versionSchema = z
  .object({ name: z.literal("sidesocket"), version: z.string(), runtime: z.string() })
  .openapi("Version");

export const reportSchema = z
  .object({
    cause: z.string(),
    forced: z.boolean(),
    exit_code: z.int(),
    ms: z.int(),
    steps: z.array(
      z.object({
        step: z.enum(["drain", "stop", "close", "cancel", "join"]),
        outcome: z.enum(["done", "forced", "failed", "skipped"]),
        ms: z.int(),
        counts: z.record(z.string(), z.any()),
      }),
    ),
  })
  .openapi("ExitReport");

const gapSchema = z
  .object({
    after: z.string().nullable(),
    before: z.string(),
    dropped: z.int().nullable().describe("null if the number cannot be known"),
    reason: z.enum(["overflow", "away", "crashed", "expired", "refused"]),
    from: z.string().optional(),
    to: z.string().optional(),
    why: z.string().optional(),
  })
  .openapi("Gap");

export const pageSchema = z
  .object({
    messages: z.array(
      z.object({
        cursor: z.string(),
        at: z.string().describe("RFC 3339"),
        data: z.any().describe("the JSON value of a JSON frame, or a string for any other"),
        encoding: z.literal("base64").optional().describe("present for a binary frame"),
        gap: gapSchema.optional().describe("in place of `data`"),
      }),
    ),
    next: z.string().describe("the `after` of the next page"),
  })
  .openapi("Page");

export const subscriptionSchema = z
  .object({
    id: z.string(),
    phase: z.enum(["waiting", "asking", "active", "failed"]),
    since: z.string().describe("RFC 3339"),
    activations: z.int().describe("how often the upstream has agreed; grows with reconnects"),
    last_error: z.string().nullable(),
    messages: z.string().describe("path of its messages"),
  })
  .openapi("Subscription");

export const subscriptionListSchema = z.object({ subscriptions: z.array(subscriptionSchema) }).openapi("Subscriptions");

/** The responses that every route may have besides its success. */
export const failures = {
  default: {
    description: "A failure: RFC 9457, with `Sidesocket-Code` and `Sidesocket-Sent` repeated as headers",
    content: { "application/problem+json": { schema: problemSchema } },
  },
} as const;

/** Any message or reply: its shape is the upstream's business, so nothing is validated or parsed. */
const anything = { schema: {} } as const;
export const anyMessage = {
  required: true,
  content: { "application/json": anything, "text/plain": anything, "application/octet-stream": anything },
} as const;

export const upstreamParams = z.object({ upstream: z.string() });

/** Narrower than the package's own type, which is a union over three versions of OpenAPI. */
type Parameter = {
  name: string;
  in: "path" | "query" | "header";
  required?: boolean;
  description?: string;
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
  schema: { type: "string" },
};

/** Parameters of routes that wait for a reply. Handlers read them without a schema: this is the hot path. */
export const waitParameters: Parameter[] = [
  {
    name: "timeout",
    in: "query",
    description: "How long to wait for the reply: `10`, `2.5s`, `500ms`; a bare number is seconds, at most 120s",
    schema: { type: "string", default: "25s" },
  },
  {
    name: "Prefer",
    in: "header",
    description: "`wait=N`, in seconds, and on `/request` also `respond-async` (RFC 7240)",
    schema: { type: "string" },
  },
];

const query = (name: string, description: string, schema: ParameterSchema): Parameter => ({
  name,
  in: "query",
  description,
  schema,
});

/** The parameter of streams, whose `timeout` is only for their first frame. */
export const idleParameter: Parameter = query(
  "idle",
  "The longest pause between two frames of a stream: `10`, `500ms`; at most `limits.reply_pause`",
  { type: "string" },
);

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
  {
    name: "Last-Event-ID",
    in: "header",
    description: "The cursor that an EventSource has reached; takes precedence over `after`",
    schema: { type: "string" },
  },
];

export const idParameter: Parameter = { name: "id", in: "path", required: true, schema: { type: "string" } };

export const waitParameter = query("wait", "How long to wait for the reply: `10`, `2.5s`; at most 120s", {
  type: "string",
  default: "0",
});

/** Parameter of routes whose requests may be repeated. */
export const keyParameter: Parameter = {
  name: "Idempotency-Key",
  in: "header",
  description: "Of requests with the same key, message and token only one is sent; the others get its reply",
  schema: { type: "string", minLength: 1, maxLength: 255 },
};

export const pendingSchema = z
  .object({
    state: z.enum(["pending", "late"]).describe("late: its timeout has passed, and its reply may still come"),
    location: z.string().describe("path to poll again"),
    code: z.string().optional().describe("reply_timeout, if the state is late"),
    sent: sent.optional(),
  })
  .openapi("Pending");

export const pickParameter = query(
  "pick",
  "A JSON pointer, such as `/result/price`: the response is the value there, as bare text",
  {
    type: "string",
  },
);
