/** Timeouts and waits that callers request, by query or by `Prefer` header. */

import type { Context } from "hono";
import { parseTimeout } from "../../config/units.ts";
import { DEFAULT_TIMEOUT_MS, MAX_TIMEOUT_MS } from "../../core/outcome.ts";
import { refused } from "../../errors.ts";
import type { Env } from "../env.ts";
import { header } from "../request-header.ts";

export interface WaitLimit {
  readonly timeoutMs: number;
  /** The value of `Preference-Applied`, if a preference was followed (RFC 7240). */
  readonly applied: string | undefined;
}

/**
 * How long the caller wants to wait. `?timeout` wins, and is refused if invalid. `Prefer: wait` is a preference: as RFC
 * 7240 asks, it is ignored if malformed and clamped if too large.
 */
export function readWaitLimit(c: Context<Env>, defaultMs = DEFAULT_TIMEOUT_MS): WaitLimit {
  const timeoutMs = readTimeout(c);
  if (timeoutMs !== undefined) return { timeoutMs, applied: undefined };
  const prefer = header(c, "prefer");
  const seconds = prefer === undefined ? 0 : preferredWait(prefer);
  if (seconds === 0) return { timeoutMs: defaultMs, applied: undefined };
  return { timeoutMs: seconds * 1_000, applied: `wait=${seconds}` };
}

/** `?timeout` in milliseconds, if given. */
export function readTimeout(c: Context<Env>): number | undefined {
  // Most requests have no query: looking for the mark first saves parsing it.
  const given = c.req.url.includes("?") ? c.req.query("timeout") : undefined;
  return given === undefined ? undefined : parseGiven(given);
}

/** Whole seconds to wait before a 202, if the caller prefers an asynchronous response; otherwise undefined. */
export function readAsync(c: Context<Env>): number | undefined {
  const prefer = header(c, "prefer");
  return prefer !== undefined && RESPOND_ASYNC.test(prefer) ? preferredWait(prefer) : undefined;
}

const RESPOND_ASYNC = /(?:^|[,;])\s*respond-async\s*(?:$|[,;])/i;

/** The `wait` of a `Prefer` header in whole seconds; 0 without one. */
function preferredWait(prefer: string): number {
  const wait = /(?:^|[,;])\s*wait\s*=\s*"?(\d+)"?\s*(?:$|[,;])/i.exec(prefer)?.[1];
  return Math.min(Number(wait ?? 0), MAX_TIMEOUT_MS / 1_000);
}

/** `?wait` in milliseconds; 0 unless given. */
export function readWait(c: Context<Env>): number {
  const text = c.req.query("wait");
  if (text === undefined) return 0;
  try {
    return parseTimeoutWithin(text, 0);
  } catch (error) {
    throw refused("invalid_request", `wait ${(error as RangeError).message}`);
  }
}

/** `?idle` in milliseconds, the longest pause in a stream or a body of frames; undefined if not given. */
export function readIdle(c: Context<Env>, maxMs: number): number | undefined {
  const text = c.req.url.includes("?") ? c.req.query("idle") : undefined;
  if (text === undefined) return undefined;
  try {
    return parseTimeoutWithin(text, 1, maxMs);
  } catch (error) {
    throw refused("invalid_request", `idle ${(error as RangeError).message}`);
  }
}

function parseGiven(text: string): number {
  try {
    return parseTimeoutWithin(text);
  } catch (error) {
    throw refused("invalid_request", `timeout ${(error as RangeError).message}`);
  }
}

/** @throws RangeError if the timeout is malformed, too short or too long */
export function parseTimeoutWithin(text: string, minimum = 1, maximum = MAX_TIMEOUT_MS): number {
  const timeoutMs = parseTimeout(text, 0);
  if (timeoutMs < minimum) throw new RangeError(`must be at least ${minimum}ms`);
  if (timeoutMs <= maximum) return timeoutMs;
  throw new RangeError(`must not be longer than ${maximum / 1_000}s`);
}
