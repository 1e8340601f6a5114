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
    retry_in_ms: z.int().nullable(),
    in_flight: z.int(),
    /** Null where the thread did not answer in time. */
    last_frame_age_ms: z.int().nullable(),
    round_trip_ms: z.number().nullable(),
    buffered_bytes: z.int().nullable(),
    counters: z.record(z.string(), z.int()).nullable(),
  })
  .openapi("Upstream");

export const upstreamListSchema = z.object({ upstreams: z.array(upstreamStateSchema) }).openapi("Upstreams");

export const livenessSchema = z.object({ status: z.literal("alive") }).openapi("Liveness");

export const readinessSchema = z
  .object({
    status: z.enum(["ready", "not_ready", "shutting_down"]),
    upstreams: z.record(z.string(), z.string()).optional().describe("phases by name; only with a token"),
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

/** The parameters of routes that wait for a reply. Read by hand: this is the hot path. */
export const waitParameters = [
  {
    name: "timeout",
    in: "query",
    description: "How long to wait for the reply: `10`, `2.5s`, `500ms`. A bare number is seconds. At most 120s.",
    schema: { type: "string", default: "25s" },
  },
  {
    name: "Prefer",
    in: "header",
    description: "`wait=N`, in seconds (RFC 7240)",
    schema: { type: "string" },
  },
];
