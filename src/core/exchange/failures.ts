import type { UpstreamSettings } from "../../config/schema.ts";
import type { Failure, Sent } from "../../errors.ts";
import { InvalidMessage } from "../../protocols/protocol.ts";
import { type Disconnect, describeDisconnect } from "../connection/disconnect.ts";
import type { Availability } from "../connection/session.ts";
import type { Failed } from "../outcome.ts";

/** The failures of the exchange, in words for people. */

type UpstreamLimits = UpstreamSettings["limits"];

/** When to try again, in milliseconds, where nothing says how long a cap stays reached: a client can well wait a second. */
export const RETRY_SOON_MS = 1_000;

export const shuttingDown: Failure = { code: "shutting_down", sent: "no", detail: "the service is shutting down" };

export const handedToNobody: Failure = {
  code: "connection_lost",
  sent: "no",
  detail: "the connection ended before the message was handed to it",
};

export function batchTooLarge(items: number, inFlight: UpstreamLimits["in_flight"]): Failure {
  const detail = `a batch of ${items} is more than may be in flight at once (limits.in_flight: ${inFlight})`;
  return { code: "invalid_request", sent: "no", detail };
}

export function tooMany(present: number, inFlight: UpstreamLimits["in_flight"]): Failure {
  const detail = `${present} requests are in flight already (limits.in_flight: ${inFlight})`;
  return { code: "too_many_in_flight", sent: "no", detail, retryAfterMs: RETRY_SOON_MS };
}

export function paced(retryAfterMs: number, pace: UpstreamLimits["pace"]): Failure {
  const { messages, per, queue } = pace ?? { messages: 0, per: 0, queue: 0 };
  const detail = `the upstream gets at most ${messages} messages in ${per} ms, and ${queue} wait already (limits.pace)`;
  return { code: "paced", sent: "no", detail, retryAfterMs: Math.ceil(retryAfterMs) };
}

export function congested(bufferedBytes: UpstreamLimits["buffered_bytes"]): Failure {
  const detail = `too many bytes wait for the upstream (limits.buffered_bytes: ${bufferedBytes})`;
  return { code: "congested", sent: "no", detail, retryAfterMs: RETRY_SOON_MS };
}

export function unavailable(link: Extract<Availability, { type: "down" }>, now: number): Failure {
  const retryAfterMs = link.until === undefined ? undefined : Math.max(0, Math.ceil(link.until - now));
  return { ...link.failure, sent: "no", retryAfterMs };
}

export function notConnected(waitedMs: number): Failure {
  const detail = `there was no connection to the upstream within ${Math.round(waitedMs)} ms`;
  return { code: "upstream_down", sent: "no", detail, retryAfterMs: RETRY_SOON_MS };
}

/** What a message that went out waits for: a reply, or the pong that proves that the peer has it. */
export type Awaited = "reply" | "pong";

export function timedOut(sent: Sent, waitedMs: number, awaited: Awaited): Failure {
  const within = `within ${Math.round(waitedMs)} ms`;
  const detail = sent === "no" ? `the message could not be sent ${within}` : `no ${awaited} came ${within}`;
  return { code: "reply_timeout", sent, detail };
}

export function lost(sent: Sent, why: Disconnect, awaited: Awaited): Failure {
  return { code: "connection_lost", sent, detail: `${describeDisconnect(why)} before the ${awaited} came` };
}

export function unusable(why: string): Failure {
  return { code: "invalid_reply", sent: "yes", detail: why };
}

export const lateParts: Failure = {
  code: "invalid_reply",
  sent: "yes",
  detail: "the reply came too late, and in several frames, which are not gathered then",
};

export const idTaken: Failure = {
  code: "invalid_request",
  sent: "no",
  detail:
    "a request with this id is in flight, or ended without its reply on this connection: callers' own ids must differ",
};

export function tooMuch(bound: string): Failure {
  return { code: "invalid_reply", sent: "yes", detail: `the reply came in ${bound}` };
}

export function unread(bound: string): Failure {
  return { code: "invalid_reply", sent: "yes", detail: `the reply comes faster than it is read: there wait ${bound}` };
}

export function unnamed(sent: Sent, fails: "oldest" | "all"): Failure {
  const whose = fails === "oldest" ? "this request is the oldest" : "all requests in flight fail with it";
  return { code: "invalid_reply", sent, detail: `the upstream sent an error that names no request; ${whose}` };
}

export function cancelled(sent: Sent, awaited: Awaited): Failure {
  return sent === "no"
    ? shuttingDown
    : { code: "cancelled", sent, detail: `the service stopped before the ${awaited} came` };
}

/** A failure is how it ends. `own`: the caller's own id, told as it was written when the protocol kept it so. */
export function failed(failure: Failure, own: unknown): Failed {
  return { type: "failed", failure, own: typeof own === "string" ? own : undefined };
}

/** What a protocol threw at a caller's message. Anything but its own kind of error is a mistake in it, and goes on. */
export function invalid(error: unknown): Failed {
  if (!(error instanceof InvalidMessage)) throw error;
  const failure: Failure = { code: "invalid_request", sent: "no", detail: error.message };
  return { type: "failed", failure, own: error.own, invalid: error.kind };
}
