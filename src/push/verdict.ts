/** The verdict of a webhook receiver on a batch, and what follows from it. */
import { fullJitter } from "../core/util/backoff.ts";
import { retryAfterMs } from "../core/util/retry-after.ts";
import type { Acknowledgement } from "./post.ts";

const RETRY_FROM_MS = 500;
const RETRY_TO_MS = 60_000;
/** The longest Retry-After that is honoured. */
const RETRY_AFTER_MAX_MS = 5 * 60_000;

/** The body of a response to a message that wants a reply; without a text if it cannot be one. */
export interface ReceiverReply {
  readonly text: string | undefined;
}

/**
 * - `taken`: a 2xx acknowledges the batch.
 * - `refused`: it is about the content, so repeating the same is of little use.
 * - `gone`: the receiver wants nothing more.
 * - `failed`: it may be taken later. A 401 or 404 is among these: it is about the webhook's settings, not a message.
 */
export type Verdict =
  | { readonly type: "taken"; readonly reply?: ReceiverReply }
  | { readonly type: "refused" | "gone" | "failed"; readonly why: string; readonly retryAfterMs?: number | undefined };

/** Statuses that blame the request itself: malformed, too large, of a wrong media type, unprocessable. */
const REFUSED: ReadonlySet<number> = new Set([400, 413, 415, 422]);

/** @param replies true if the body is the receiver's reply to a message */
export function verdictOf({ status, retryAfter, body }: Acknowledgement, now: number, replies = false): Verdict {
  if (status >= 200 && status < 300) return replies ? { type: "taken", reply: { text: body } } : { type: "taken" };
  if (status === 410) return { type: "gone", why: "the receiver answered 410: nothing more is sent to it" };
  const why = `the receiver answered ${status}`;
  const after = retryAfterMs(retryAfter, now);
  return { type: REFUSED.has(status) ? "refused" : "failed", why, retryAfterMs: after };
}

/** Milliseconds until the next attempt. `failures`: how many attempts in a row have failed, from 1. */
export function pauseMs(failures: number, after: number | undefined, random: number): number {
  const backoff = fullJitter(failures - 1, RETRY_FROM_MS, RETRY_TO_MS, random);
  return Math.max(backoff, Math.min(after ?? 0, RETRY_AFTER_MAX_MS));
}
