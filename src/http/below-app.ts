/** The responses to requests that do not reach the app: not HTTP, too slow, or with a header that nobody serves. */

import { type ErrorCode, type Failure, refused } from "../errors.ts";
import type { RequestFacts } from "../telemetry/telemetry.ts";
import { UNMATCHED } from "./ended-request.ts";
import { problemDocument } from "./problem.ts";
import { requestId } from "./request-id.ts";

/** A response that the listener writes by itself; its connection ends with it. */
export interface BelowApp {
  /** The record for telemetry: the app never saw the request. */
  readonly request: RequestFacts;
  readonly failure: Failure;
  readonly status: number;
  readonly reason: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type BelowAppStatus = keyof typeof known;

const known = {
  400: ["Bad Request", "invalid_request", "Invalid request"],
  405: ["Method Not Allowed", "method_not_allowed", "Method not allowed"],
  408: ["Request Timeout", "invalid_request", "The request took too long to arrive"],
  413: ["Payload Too Large", "payload_too_large", "The body is too large"],
  417: ["Expectation Failed", "invalid_request", "Expectation not supported"],
  431: ["Request Header Fields Too Large", "invalid_request", "The header is too large"],
} as const satisfies Record<number, readonly [reason: string, code: ErrorCode, title: string]>;

/** Describes the failure as the app would: nothing was sent. */
export function belowApp(status: BelowAppStatus, detail: string): BelowApp {
  const [reason, code, title] = known[status];
  const { failure } = refused(code, detail);
  const id = requestId(undefined);
  const body = `${JSON.stringify({ ...problemDocument(failure, undefined, id), title, status })}\n`;
  const headers = {
    Connection: "close",
    "Cache-Control": "no-store",
    "Content-Type": "application/problem+json",
    "Content-Length": String(Buffer.byteLength(body)),
    "X-Content-Type-Options": "nosniff",
    "X-Request-Id": id,
    "Sidesocket-Code": failure.code,
    "Sidesocket-Sent": failure.sent,
  };
  const request = {
    requestId: id,
    method: "unknown",
    route: UNMATCHED,
    status,
    totalMs: 0,
    upstream: undefined,
    caller: undefined,
    address: undefined,
    traceId: undefined,
  };
  return { request, failure, status, reason, headers, body };
}
