/** Problem documents (RFC 9457), and headers with the same facts for callers without a JSON parser. */

import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { traceparentOf } from "../core/util/traceparent.ts";
import { type ErrorCode, type Failure, retryFor } from "../errors.ts";
import type { Env } from "./env.ts";
import type { UpstreamPort } from "./ports.ts";

const statusOf: Readonly<Record<ErrorCode, ContentfulStatusCode>> = {
  invalid_request: 400,
  unauthorized: 401,
  forbidden: 403,
  misdirected: 421,
  not_found: 404,
  method_not_allowed: 405,
  unsupported_media_type: 415,
  payload_too_large: 413,
  conflict: 409,
  mismatch: 422,
  gone: 410,
  too_many_in_flight: 429,
  paced: 429,
  congested: 503,
  upstream_down: 503,
  not_ready: 503,
  shutting_down: 503,
  cancelled: 503,
  login_refused: 502,
  connection_lost: 502,
  sidecar_crashed: 502,
  invalid_reply: 502,
  reply_timeout: 504,
  invalid_config: 503,
  would_block: 500,
  rpc_error: 502,
  service_lost: 502,
  internal_error: 500,
};

/** The codes of HTTP responses: a call that would block is one of the library's. */
export const HTTP_CODES: readonly ErrorCode[] = (Object.keys(statusOf) as ErrorCode[]).filter(
  (code) => code !== "would_block",
);

const titleOf: Readonly<Record<ErrorCode, string>> = {
  invalid_request: "Invalid request",
  unauthorized: "A valid token is required",
  forbidden: "Not allowed",
  misdirected: "Host not served here",
  not_found: "Not found",
  method_not_allowed: "Method not allowed",
  unsupported_media_type: "Unsupported media type",
  payload_too_large: "The body is too large",
  conflict: "Conflict with an existing resource",
  mismatch: "Idempotency-Key reused for another message",
  gone: "No longer kept",
  too_many_in_flight: "Too many requests in flight",
  paced: "Message rate limit reached",
  congested: "No room for more at the moment",
  upstream_down: "The upstream is not connected",
  not_ready: "A value that the message needs is not known yet",
  shutting_down: "The service is shutting down",
  cancelled: "The request was cancelled",
  login_refused: "The upstream refused the login",
  connection_lost: "The connection to the upstream was lost",
  sidecar_crashed: "The sidecar's thread crashed",
  invalid_reply: "The upstream's reply cannot be used",
  reply_timeout: "No reply in time",
  invalid_config: "The upstream's configuration is invalid",
  would_block: "The call would block its own server",
  rpc_error: "The upstream replied with an error",
  service_lost: "The service could not be reached",
  internal_error: "Internal error",
};

type FailedUpstream = Pick<UpstreamPort, "name" | "state">;

/** Facts of a failure under their public names; also the `data` of a JSON-RPC error. */
export function facts(failure: Failure, upstream?: FailedUpstream, requestId?: string) {
  return {
    code: failure.code,
    sent: failure.sent,
    retry_safe: failure.sent === "no",
    retry: retryFor(failure),
    detail: failure.detail,
    ...(failure.cause !== undefined && { cause: failure.cause }),
    ...(failure.heard && { heard: failure.heard }),
    ...(requestId !== undefined && { request_id: requestId }),
    ...(upstream && { upstream: upstream.name, upstream_state: upstream.state.phase }),
  };
}

export function statusFor(failure: Pick<Failure, "code">): ContentfulStatusCode {
  return statusOf[failure.code];
}

export function titleFor(failure: Pick<Failure, "code">): string {
  return titleOf[failure.code];
}

/** Read-only: a function that adds a header returns a new record. */
export type ResponseHeaders = Readonly<Record<string, string>>;

/** Headers of every response, in a new record. */
export function commonHeaders(c: Context<Env>): Record<string, string> {
  const { requestId, trace } = c.get("record");
  const headers: Record<string, string> = {
    "X-Request-Id": requestId,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
  };
  if (trace) headers.traceparent = traceparentOf(trace);
  return headers;
}

/** Headers of a failure, with `Retry-After` exactly where retrying is safe and may help. */
export function failureHeaders(c: Context<Env>, failure: Failure): Record<string, string> {
  const headers = commonHeaders(c);
  headers["Sidesocket-Code"] = failure.code;
  headers["Sidesocket-Sent"] = failure.sent;
  if (failure.sent === "no" && retryFor(failure) !== "never") {
    headers["Retry-After"] = String(Math.max(1, Math.ceil((failure.retryAfterMs ?? 0) / 1_000)));
  }
  // On a kept-alive connection the next request would reach a service that refuses it.
  if (failure.code === "shutting_down") headers.Connection = "close";
  if (failure.code === "unauthorized") headers["WWW-Authenticate"] = 'Bearer realm="sidesocket"';
  return headers;
}

/** Notes the failure that a response reports, for telemetry. */
export function noteFailure(c: Context<Env>, failure: Failure, upstream: UpstreamPort | undefined): void {
  const record = c.get("record");
  record.failure = failure;
  if (upstream) record.servedBy = upstream;
}

export function problem(
  c: Context<Env>,
  failure: Failure,
  upstream?: UpstreamPort,
  more?: ResponseHeaders,
  members?: Record<string, unknown>,
): Response {
  noteFailure(c, failure, upstream);
  const document = { ...problemDocument(failure, upstream, c.get("record").requestId), ...members };
  const headers = { ...failureHeaders(c, failure), ...more, "Content-Type": "application/problem+json" };
  return c.body(`${JSON.stringify(document)}\n`, statusFor(failure), headers);
}

export type ProblemDocument = ReturnType<typeof problemDocument>;

/** The body of a problem response (RFC 9457). */
export function problemDocument(failure: Failure, upstream?: FailedUpstream, requestId?: string) {
  return {
    type: `urn:sidesocket:error:${failure.code}`,
    title: titleFor(failure),
    status: statusFor(failure),
    ...facts(failure, upstream, requestId),
  };
}
