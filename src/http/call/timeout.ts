import type { Context } from "hono";
import { parseTimeout } from "../../config/units.ts";
import { refused } from "../../errors.ts";
import type { Env } from "../ports.ts";

export const DEFAULT_TIMEOUT_MS = 25_000;
export const MAX_TIMEOUT_MS = 120_000;

export interface WaitLimit {
  readonly timeoutMs: number;
  /** What `Preference-Applied` says, when a preference was followed (RFC 7240). */
  readonly applied: string | undefined;
}

/**
 * How long the caller wants to wait. `?timeout` wins and is refused when it is wrong; `Prefer: wait` is a wish, which
 * RFC 7240 wants to be ignored when it is malformed and clamped when it is too large.
 */
export function readWaitLimit(c: Context<Env>): WaitLimit {
  const timeoutMs = readTimeout(c);
  if (timeoutMs !== undefined) return { timeoutMs, applied: undefined };
  const seconds = preferredWait(c.req.header("prefer") ?? "");
  if (seconds === 0) return { timeoutMs: DEFAULT_TIMEOUT_MS, applied: undefined };
  return { timeoutMs: seconds * 1_000, applied: `wait=${seconds}` };
}

/** `?timeout` in milliseconds; undefined unless given. */
export function readTimeout(c: Context<Env>): number | undefined {
  // Most requests have none: looking for the mark first spares them the parsing.
  const given = c.req.url.includes("?") ? c.req.query("timeout") : undefined;
  return given === undefined ? undefined : parseGiven(given);
}

/** Whether the caller wants a 202 instead of waiting: how long it waits before that, in whole seconds. */
export function readAsync(c: Context<Env>): number | undefined {
  const prefer = c.req.header("prefer");
  return prefer !== undefined && RESPOND_ASYNC.test(prefer) ? preferredWait(prefer) : undefined;
}

const RESPOND_ASYNC = /(?:^|[,;])\s*respond-async\s*(?:$|[,;])/i;

/** The `wait` of a `Prefer` header, in whole seconds; 0 when there is none. */
function preferredWait(prefer: string): number {
  const wait = /(?:^|[,;])\s*wait\s*=\s*"?(\d+)"?\s*(?:$|[,;])/i.exec(prefer)?.[1];
  return Math.min(Number(wait ?? 0), MAX_TIMEOUT_MS / 1_000);
}

/** `?wait`: how long to wait for something to be there, in milliseconds; 0 unless given. */
export function readWait(c: Context<Env>): number {
  const text = c.req.query("wait");
  if (text === undefined) return 0;
  try {
    return parseTimeoutWithin(text, 0);
  } catch (error) {
    throw refused("invalid_request", `wait ${(error as RangeError).message}`);
  }
}

function parseGiven(text: string): number {
  try {
    return parseTimeoutWithin(text);
  } catch (error) {
    throw refused("invalid_request", `timeout ${(error as RangeError).message}`);
  }
}

/** Throws a RangeError, as `parseTimeout` does, also for one that is too short or too long. */
export function parseTimeoutWithin(text: string, minimum = 1): number {
  const timeoutMs = parseTimeout(text, 0);
  if (timeoutMs < minimum) throw new RangeError(`must be at least ${minimum}ms`);
  if (timeoutMs <= MAX_TIMEOUT_MS) return timeoutMs;
  throw new RangeError(`must not be longer than ${MAX_TIMEOUT_MS / 1_000}s`);
}
