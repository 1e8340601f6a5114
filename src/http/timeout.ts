import type { Context } from "hono";
import { parseTimeout } from "../config/units.ts";
import { refused } from "../errors.ts";
import type { Env } from "./ports.ts";

export const DEFAULT_TIMEOUT_MS = 25_000;
export const MAX_TIMEOUT_MS = 120_000;

export interface Patience {
  readonly timeoutMs: number;
  /** What `Preference-Applied` says, when a preference was followed (RFC 7240). */
  readonly applied: string | undefined;
}

/**
 * How long the caller wants to wait. `?timeout` wins and is refused when it is wrong; `Prefer: wait` is a wish, which
 * RFC 7240 wants to be ignored when it is malformed and clamped when it is too large.
 */
export function readPatience(c: Context<Env>): Patience {
  // Most requests have neither: looking for the mark first spares them the parsing.
  const given = c.req.url.includes("?") ? c.req.query("timeout") : undefined;
  if (given !== undefined) return { timeoutMs: parseGiven(given), applied: undefined };
  const wait = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:$|[,;])/i.exec(c.req.header("prefer") ?? "")?.[1];
  const seconds = Number(wait ?? 0);
  if (seconds === 0) return { timeoutMs: DEFAULT_TIMEOUT_MS, applied: undefined };
  const clamped = Math.min(seconds, MAX_TIMEOUT_MS / 1_000);
  return { timeoutMs: clamped * 1_000, applied: `wait=${clamped}` };
}

function parseGiven(text: string): number {
  try {
    return parseTimeoutWithin(text);
  } catch (error) {
    throw refused("invalid_request", `timeout ${(error as RangeError).message}`);
  }
}

/** Throws a RangeError, as `parseTimeout` does, also for one that is too long. */
export function parseTimeoutWithin(text: string): number {
  const timeoutMs = parseTimeout(text);
  if (timeoutMs <= MAX_TIMEOUT_MS) return timeoutMs;
  throw new RangeError(`must not be longer than ${MAX_TIMEOUT_MS / 1_000}s`);
}
