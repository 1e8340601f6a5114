import { z } from "@hono/zod-openapi";

/** What goes out as JSON, for the handlers, the OpenAPI document and the typed client alike. */

const sent = z.enum(["no", "maybe", "yes"]);

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    sent: sent.describe("no: never handed to the socket. maybe: handed over, nothing proves arrival. yes: proven."),
    retry_safe: z.boolean(),
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
    attempts: z.int().describe("failed since the upstream last proved itself"),
    last_error: z.string().nullable(),
    found_dead_by: z
      .enum(["ping", "heartbeat", "silence"])
      .nullable()
      .describe("which of the three last found a connection dead"),
    retry_in_ms: z.int().nullable(),
    in_flight: z.int(),
    /** Null where the thread did not answer in time. */
    last_frame_age_ms: z.int().nullable(),
    round_trip_ms: z.number().nullable(),
    buffered_bytes: z.int().nullable(),
    readers: z.int().describe("of messages: streams and long polls"),
    kept: z
      .object({ messages: z.int(), bytes: z.int() })
      .nullable()
      .describe("of what the upstream said unasked; gaps count as messages"),
    webhooks: z.array(
      z.object({
        url: z.string().describe("scheme and host only"),
        acknowledged: z.string().nullable().describe("the cursor behind the last batch that was taken"),
        delivered: z.int(),
        failures: z.int().describe("since the last batch that was taken"),
        last_error: z.string().nullable(),
      }),
    ),
    counters: z.record(z.string(), z.int()).nullable(),
  })
  .openapi("Upstream");

export const upstreamListSchema = z.object({ upstreams: z.array(upstreamStateSchema) }).openapi("Upstreams");

export const livenessSchema = z.object({ status: z.literal("alive") }).openapi("Liveness");

export const readinessSchema = z
  .object({
    status: z.enum(["ready", "not_ready", "shutting_down"]),
    upstreams: z.record(z.string(), z.string()).optional().describe("phases by name; only with a token"),
    errors: z.record(z.string(), z.string()).optional().describe("of those that are not ready; only with a token"),
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
    dropped: z.int().nullable().describe("null when nobody can know"),
    reason: z.enum(["overflow", "away", "crashed", "expired"]),
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
        data: z.any().describe("the JSON value of a JSON frame; a text for any other"),
        encoding: z.literal("base64").optional().describe("of a binary frame"),
        gap: gapSchema.optional().describe("in the place of `data`"),
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
    activations: z.int().describe("how often the upstream has agreed: more than once after reconnects"),
    last_error: z.string().nullable(),
    messages: z.string().describe("where its messages are read"),
  })
  .openapi("Subscription");

export const subscriptionListSchema = z.object({ subscriptions: z.array(subscriptionSchema) }).openapi("Subscriptions");

/** What every route may answer besides its success. */
export const failures = {
  default: {
    description: "A failure: RFC 9457, with `Sidesocket-Code` and `Sidesocket-Sent` repeated as headers",
    content: { "application/problem+json": { schema: problemSchema } },
  },
} as const;

/** Any message or reply: what it must be is the upstream's business, so nothing is validated and nothing parsed. */
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

/** The parameters of routes that wait for a reply. Read by hand: this is the hot path. */
export const waitParameters: Parameter[] = [
  {
    name: "timeout",
    in: "query",
    description: "How long to wait for the reply: `10`, `2.5s`, `500ms`. A bare number is seconds. At most 120s.",
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

/** The parameters of routes that read messages. */
export const messageParameters: Parameter[] = [
  upstreamParameter,
  query("after", "Where to begin: behind this cursor, at `earliest`, or at `latest`", {
    type: "string",
    default: "earliest",
  }),
  query("limit", "The most messages in a page", { type: "integer", minimum: 1, maximum: 1_000, default: 100 }),
  query("wait", "How long a page waits for its first message: `10`, `2.5s`. At most 120s.", {
    type: "string",
    default: "0",
  }),
  query("where", "Only messages with this value there: `/params/type=trade`. All that are given must hold.", {
    type: "array",
    items: { type: "string" },
  }),
  query("poll", "`1`: a stream gives what is there, and ends", { type: "string", enum: ["0", "1"], default: "0" }),
  {
    name: "Last-Event-ID",
    in: "header",
    description: "The cursor that an EventSource has got to: wins over `after`",
    schema: { type: "string" },
  },
];

export const idParameter: Parameter = { name: "id", in: "path", required: true, schema: { type: "string" } };

export const waitParameter = query("wait", "How long to wait for it: `10`, `2.5s`. At most 120s.", {
  type: "string",
  default: "0",
});

/** A route whose caller may come again. */
export const keyParameter: Parameter = {
  name: "Idempotency-Key",
  in: "header",
  description: "Of those with the same key, message and token one is sent; the others get its reply",
  schema: { type: "string", minLength: 1, maxLength: 255 },
};

export const pendingSchema = z
  .object({
    state: z.enum(["pending", "late"]).describe("late: its time is over, and its reply may come still"),
    location: z.string().describe("where to ask again"),
    code: z.string().optional().describe("of a late one: reply_timeout"),
    sent: sent.optional(),
  })
  .openapi("Pending");

export const pickParameter = query(
  "pick",
  "A JSON pointer, such as `/result/price`: answer with the value there as bare text",
  {
    type: "string",
  },
);
