/** JSON-RPC errors over HTTP, for a single failure and for the items of a batch. */

import type { Context } from "hono";
import { type Batch, type Failed, type Replied, repeatableFailure } from "../core/outcome.ts";
import { rpcError, rpcErrorCode, rpcReply } from "../protocols/json-rpc.ts";
import type { Env } from "./env.ts";
import type { UpstreamPort } from "./ports.ts";
import { facts, failureHeaders, noteFailure, type ResponseHeaders, statusFor, titleFor } from "./problem.ts";
import { wholeResponse } from "./whole-response.ts";

/** Responds with 200, and each item carries its own outcome, unless clients should repeat the whole batch. */
export function rpcBatch(
  c: Context<Env>,
  upstream: UpstreamPort,
  batch: Omit<Batch, "type">,
  headers: ResponseHeaders,
): Response {
  const texts = batch.items.map((item) => (item.type === "reply" ? textOf(item) : errorText(c, upstream, item)));
  const failed = batch.items.find((item) => item.type === "failed" && item.upstreamError === undefined);
  if (failed?.type === "failed") noteFailure(c, failed.failure, upstream);
  const failure = repeatableFailure(batch);
  const ofFailure = failure && failureHeaders(c, failure);
  const status = failure ? statusFor(failure) : 200;
  const all = { ...ofFailure, ...headers, "Content-Type": "application/json" };
  return wholeResponse(c, `[${texts.join(",")}]`, all, status);
}

/** True if the caller expects JSON-RPC, whatever the response is. */
export function isRpc(c: Context<Env>): boolean {
  return c.req.path === "/rpc" || c.req.path.startsWith("/rpc/");
}

export function rpcFailure(
  c: Context<Env>,
  upstream: UpstreamPort | undefined,
  failed: Failed,
  more?: ResponseHeaders,
): Response {
  const { failure } = failed;
  if (failed.upstreamError === undefined) noteFailure(c, failure, upstream);
  const headers = { ...failureHeaders(c, failure), ...more, "Content-Type": "application/json" };
  return c.body(`${errorText(c, upstream, failed)}\n`, failure.sent === "no" ? statusFor(failure) : 200, headers);
}

function errorText(c: Context<Env>, upstream: UpstreamPort | undefined, failed: Failed): string {
  const { failure, own, invalid, upstreamError } = failed;
  if (upstreamError !== undefined) return rpcReply(own, upstreamError);
  const message = failure.code === "invalid_request" ? failure.detail : titleFor(failure);
  return rpcError(own, codeOf(failure.code, invalid), message, facts(failure, upstream, c.get("record").requestId));
}

function codeOf(code: string, invalid: Failed["invalid"]): number {
  if (invalid === "parse") return rpcErrorCode.parse;
  return code === "invalid_request" ? rpcErrorCode.invalidRequest : rpcErrorCode.server;
}

function textOf({ body }: Replied): string {
  return typeof body === "string" ? body : new TextDecoder().decode(body);
}
