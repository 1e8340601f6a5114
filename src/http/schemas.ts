/** Schemas of the bodies of the HTTP API, for the handlers' types and for the OpenAPI document. */

import { z } from "@hono/zod-openapi";
import { HTTP_CODES } from "./problem.ts";

const sent = z
  .enum(["no", "maybe", "yes"])
  .describe("no: never handed to the socket; maybe: handed over, without proof of arrival; yes: arrival is proven")
  .openapi("Sent");

const code = z.enum(HTTP_CODES).openapi("Code");

const phase = z
  .enum(["idle", "connecting", "greeting", "ready", "waiting", "refused", "closing", "closed"])
  .openapi("Phase");

const cause = z
  .string()
  .describe("a close code, http_ and the status of a refused upgrade, or a word, as in sidesocket_disconnects_total")
  .openapi("Cause");

const gapReason = z.enum(["overflow", "away", "crashed", "expired", "refused"]).openapi("GapReason");

/** The facts of a failure, in a problem document and in the `data` of a JSON-RPC error. */
const facts = {
  code,
  sent,
  retry_safe: z.boolean().describe("true exactly if sent is no"),
  retry: z
    .enum(["never", "later", "now"])
    .describe("never: the same request fails again; later: once something has passed; now: nothing stands in its way"),
  detail: z.string().describe("one sentence for people, which may change"),
  cause: cause.optional(),
  heard: z
    .object({ frames: z.int(), last: z.string(), why: z.string().optional() })
    .optional()
    .describe("with reply_timeout: the frames that came meanwhile and answered nothing, the last one cut"),
  request_id: z.string().optional().describe("as in X-Request-Id"),
  upstream: z.string().optional(),
  upstream_state: phase.optional(),
};

export const problemSchema = z
  .object({
    type: z.string().describe("urn:sidesocket:error: and the code"),
    title: z.string(),
    status: z.int(),
    ...facts,
    written: z
      .object({ frames: z.int(), bytes: z.int() })
      .optional()
      .describe("of a body in many frames: what was sent before the failure"),
    oldest: z.string().optional().describe("of messages that are gone: the oldest cursor that is kept"),
    resume: z.string().optional().describe("of messages that are gone: the `after` that goes on from there"),
    dropped: z.int().nullable().optional().describe("of messages that are gone: their number, null if unknown"),
    reason: gapReason.optional().describe("of messages that are gone"),
  })
  .openapi("Problem", {
    example: {
      type: "urn:sidesocket:error:reply_timeout",
      title: "No reply in time",
      status: 504,
      code: "reply_timeout",
      sent: "maybe",
      retry_safe: false,
      retry: "now",
      detail: "no reply came in time",
      request_id: "aa7a8bb5-1160-4a51-8161-857b7ef69054",
      upstream: "default",
      upstream_state: "ready",
    },
  });

export const rpcErrorSchema = z
  .object({
    jsonrpc: z.literal("2.0"),
    id: z.union([z.string(), z.number(), z.null()]),
    error: z.object({ code: z.int(), message: z.string(), data: z.object(facts).optional() }),
  })
  .openapi("RpcError");

const latency = {
  count: z.int().describe("replies"),
  failed: z.int().describe("failures"),
  p50_ms: z.number().nullable().describe("at most 10 % off, as the other"),
  p99_ms: z.number().nullable(),
};

export const upstreamStateSchema = z
  .object({
    name: z.string(),
    url: z.string().describe("scheme, host and port only"),
    protocol: z.string(),
    required: z.boolean(),
    phase,
    since: z.string().describe("RFC 3339"),
    ready_until: z
      .string()
      .nullable()
      .describe("RFC 3339: when it was last ready; null while it is, and if it was not since the service started"),
    attempts: z.int().describe("failed attempts since the upstream last proved itself"),
    last_error: z.string().nullable(),
    last_cause: cause.nullable(),
    found_dead_by: z
      .enum(["ping", "heartbeat", "silence"])
      .nullable()
      .describe("the check that last found a connection dead"),
    retry_in_ms: z.int().nullable(),
    in_flight: z.int(),
    /** This and the other nullable figures are null if the thread did not reply in time. */
    in_flight_max: z.int().nullable().describe("how many may be in flight at once"),
    first_in_flight_age_ms: z
      .int()
      .nullable()
      .describe("since the request came that has been in flight for longest; null without any"),
    last_frame_age_ms: z.int().nullable(),
    last_pong_age_ms: z.int().nullable().describe("of the current connection; null before its first"),
    round_trip_ms: z.number().nullable(),
    buffered_bytes: z.int().nullable(),
    captured: z
      .record(
        z.string(),
        z.object({
          present: z.boolean(),
          secret: z.boolean(),
          keep: z.boolean().describe("true if the next connection begins with it"),
          value: z
            .union([z.string(), z.number(), z.boolean(), z.null()])
            .describe("null if it is secret or not there; a number beyond 2^53 is a text"),
          fault: z.string().nullable().describe("why the last value was not taken"),
        }),
      )
      .nullable()
      .describe("the values of capture, by name"),
    readers: z.int().describe("readers of messages: streams and long polls"),
    kept: z
      .object({ messages: z.int(), bytes: z.int() })
      .nullable()
      .describe("unsolicited messages; gaps count as messages"),
    instances: z.int().nullable().describe("open instances, those of all callers; null for an upstream without any"),
    owner: z
      .object({
        member: z.string().nullable().describe("the id of the owner, which it draws at its start; null without one"),
        self: z.boolean().describe("true if it is this replica"),
        term: z.int().nullable().describe("the number of its term, which grows"),
        heard_ms: z.int().nullable().describe("since this replica heard it; 0 if it is this one"),
        contact_age_ms: z
          .int()
          .nullable()
          .describe("since the others certainly heard this replica, or since its start if they never did"),
        log_lag: z.int().nullable().describe("entries of the log of messages that it knows of and has not read yet"),
      })
      .optional()
      .describe("only in a cluster: the replica that has the connection, whose phase is shown"),
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
        elsewhere: z
          .boolean()
          .optional()
          .describe("only in a cluster: true if another replica pushes, the one that owns the upstream"),
      }),
    ),
    counters: z.record(z.string(), z.int()).nullable(),
    latency: z
      .object({
        ...latency,
        windows: z.array(z.object({ at: z.string().describe("RFC 3339: its beginning"), ...latency })),
      })
      .describe("replies over HTTP in the last five minutes, and the same by windows of ten seconds, oldest first"),
  })
  .openapi("Upstream");

export const stateChangeSchema = z.object({
  at: z.string().describe("RFC 3339"),
  phase,
  attempts: z.int(),
  last_error: z.string().nullable(),
  last_cause: cause.nullable(),
  retry_in_ms: z.int().nullable(),
});

export const instanceSchema = z
  .object({
    id: z.string(),
    path: z.string().describe("below which it has the routes of an upstream"),
    phase,
    opened_at: z.string().describe("RFC 3339"),
    idle_ms: z.int().describe("the time without a request or a reader after which it ends"),
    ends_at: z.string().describe("RFC 3339; the time at which it ends, however it is used"),
  })
  .openapi("Instance");

export const instanceListSchema = z.object({ instances: z.array(instanceSchema) }).openapi("Instances");

export const instanceOrderSchema = z
  .object({
    params: z.record(z.string(), z.string()).optional().describe("a value for each parameter of the upstream"),
    idle: z.string().optional().describe("`10s`, `500ms`; at most `instances.idle`, which it is by default"),
  })
  .openapi("InstanceOrder", { example: { params: { room: "lobby" }, idle: "30s" } });

export const upstreamDetailsSchema = upstreamStateSchema
  .extend({ instance: instanceSchema.optional().describe("of an instance: what only instances have") })
  .extend({ history: z.array(stateChangeSchema).describe("the last 200 changes of its state, oldest first") })
  .openapi("UpstreamDetails");

export const failureListSchema = z
  .object({
    failures: z.array(
      z.object({
        at: z.string().describe("RFC 3339"),
        request_id: z.string(),
        method: z.string(),
        route: z.string().describe("the template of the path, or `unmatched`"),
        upstream: z.string().nullable(),
        code,
        cause: cause.nullable(),
        sent,
        status: z.int(),
        detail: z.string(),
        total_ms: z.number(),
      }),
    ),
  })
  .openapi("Failures");

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

export const reloadStateSchema = z
  .object({
    at: z.string().describe("RFC 3339"),
    success: z.boolean(),
    error: z.string().nullable().describe("what was wrong; then nothing has changed"),
    successes: z.int(),
    failures: z.int(),
  })
  .openapi("ReloadState");

const means = z.enum(["in_place", "rotated", "replaced", "added", "removed"]);

export const reloadReportSchema = z
  .object({
    changed: z.record(z.string(), means).describe("the upstreams that have changed, by name"),
    unchanged: z.array(z.string()).describe("the other upstreams: nothing of theirs was touched"),
    applied: z.array(z.string()).describe("other keys that are in force now"),
    needs_restart: z.array(z.string()).describe("keys that have changed, and are not in force before a restart"),
    files: z.array(z.string()).describe("the files that were read"),
    ms: z.int(),
  })
  .openapi("ReloadReport");

export const upstreamListSchema = z
  .object({
    upstreams: z.array(upstreamStateSchema),
    memory: memorySchema,
    reload: reloadStateSchema.nullable().describe("the last reload of the configuration; null before the first"),
  })
  .openapi("Upstreams");

export const livenessSchema = z.object({ status: z.literal("alive") }).openapi("Liveness");

export const readinessSchema = z
  .object({
    status: z.enum(["ready", "not_ready", "congested", "shutting_down"]),
    upstreams: z.record(z.string(), phase).optional().describe("phases by name; only with a token"),
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
    reason: gapReason,
    from: z.string().optional(),
    to: z.string().optional(),
    filled: z
      .boolean()
      .optional()
      .describe("of upstreams that can resume: true if it has, and so has sent what was missed"),
    why: z.string().optional(),
  })
  .openapi("Gap");

export const pageSchema = z
  .object({
    messages: z.array(
      z.object({
        cursor: z.string(),
        at: z.string().describe("RFC 3339"),
        reply: z
          .enum(["wanted", "given", "lost"])
          .optional()
          .describe("of a request of the upstream's own: whether it still wants the reply, has it, or cannot get it"),
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

export const ticketOrderSchema = z
  .object({ route: z.string().describe("the path of a stream of events, without a query") })
  .openapi("TicketOrder");

export const ticketSchema = z
  .object({
    ticket: z.string().describe("the value of `?ticket=`, once"),
    expires_at: z.string().describe("RFC 3339"),
  })
  .openapi("Ticket");

export const acknowledgedSchema = z
  .object({ answered: z.int().describe("the number of answers that were sent") })
  .openapi("Acknowledged");

export const subscriptionListSchema = z.object({ subscriptions: z.array(subscriptionSchema) }).openapi("Subscriptions");

export const pendingSchema = z
  .object({
    state: z.enum(["pending", "late"]).describe("late: its timeout has passed, and its reply may still come"),
    location: z.string().describe("path to poll again"),
    code: code.optional().describe("reply_timeout, if the state is late"),
    sent: sent.optional(),
  })
  .openapi("Pending");

export const graphqlRequestSchema = z
  .object({
    query: z.string().optional().describe("left out if `extensions.persistedQuery` names its hash"),
    operationName: z.string().nullable().optional(),
    variables: z.record(z.string(), z.any()).nullable().optional(),
    extensions: z.record(z.string(), z.any()).nullable().optional(),
  })
  .openapi("GraphqlRequest", { example: { query: "{ hello }" } });

export const graphqlResultSchema = z
  .object({
    data: z.record(z.string(), z.any()).nullable().optional(),
    errors: z.array(z.object({ message: z.string() }).loose()).optional(),
    extensions: z.record(z.string(), z.any()).optional(),
  })
  .openapi("GraphqlResult");
