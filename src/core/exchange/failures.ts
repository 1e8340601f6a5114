/** The failures of the exchange, worded for people. */
import type { UpstreamSettings } from "../../config/schema.ts";
import type { Failure, Heard, Sent } from "../../errors.ts";
import { InvalidMessage } from "../../protocols/protocol.ts";
import type { Availability, PastService } from "../connection/availability.ts";
import { ValueMissing } from "../connection/captured-texts.ts";
import { codeOf, type Disconnect, describeDisconnect } from "../connection/disconnect.ts";
import { type Signs, signsSince } from "../connection/signs-of-life.ts";
import type { Failed } from "../outcome.ts";
import { ago } from "../util/ago.ts";
import type { Budget } from "../util/budget.ts";

type UpstreamLimits = UpstreamSettings["limits"];

/** Nothing predicts when a limit that was reached has room again; a client may well wait a second. */
export const RETRY_SOON_MS = 1_000;

/**
 * The failure of a subscription to which the upstream has not agreed in time.
 * @param phase of the subscription
 * @param sent of its request
 */
export function overdueAgreement(phase: string, sent: Sent): Failure {
  if (phase === "asking") return { code: "reply_timeout", sent, detail: "the upstream did not agree in time" };
  if (sent === "no") return { code: "upstream_down", sent, detail: "the upstream is not connected" };
  return { code: "connection_lost", sent, detail: "the connection was lost before the upstream agreed" };
}

export const shuttingDown: Failure = { code: "shutting_down", sent: "no", detail: "the service is shutting down" };

export const notTaken: Failure = {
  code: "connection_lost",
  sent: "no",
  detail: "the connection ended before the message was handed to it",
};

export const anotherConnection: Failure = {
  code: "connection_lost",
  sent: "no",
  detail: "the connection that the frames before it went over is not in use any more",
};

export const ownedElsewhere: Failure = {
  code: "upstream_down",
  sent: "no",
  detail: "another replica of the cluster owns the upstream, and has its connection and subscriptions: ask that one",
};

export const unconfirmable: Failure = {
  code: "invalid_request",
  sent: "no",
  detail: "no pong can confirm it, because this upstream gets no pings (keepalive.ping: off)",
};

/** The failure of a batch's item that has waited for a place until its deadline. */
export function noPlace(waitedMs: number, inFlight: UpstreamLimits["in_flight"]): Failure {
  const detail = `no place became free within ${Math.round(waitedMs)} ms (limits.in_flight: ${inFlight})`;
  return { code: "too_many_in_flight", sent: "no", detail, retryAfterMs: RETRY_SOON_MS };
}

/** The failure of a message of a caller that is no HTTP request: the body of one is not even read. */
export function tooLarge(limit: UpstreamLimits["request_bytes"]): Failure {
  return { code: "payload_too_large", sent: "no", detail: `the message exceeds limits.request_bytes (${limit} bytes)` };
}

/** @param firstMs how long ago the first of the present ones came @param streams how many of them are streams */
export function tooMany(
  present: number,
  inFlight: UpstreamLimits["in_flight"],
  firstMs: number,
  streams: number,
): Failure {
  const of = streams === 0 ? "" : `, ${streams === 1 ? "one" : streams} of them streamed`;
  const full = `${present} requests are already in flight (limits.in_flight: ${inFlight})`;
  const detail = `${full}; the first came ${ago(firstMs)}${of}`;
  return { code: "too_many_in_flight", sent: "no", detail, retryAfterMs: RETRY_SOON_MS };
}

/** The failure of a request of which the thread has not heard. */
export function tooManyCallers(most: number): Failure {
  const detail = `${most} callers already wait for replies of this upstream`;
  return { code: "too_many_in_flight", sent: "no", detail, retryAfterMs: RETRY_SOON_MS };
}

export function paced(retryAfterMs: number, { messages, per, queue }: NonNullable<UpstreamLimits["pace"]>): Failure {
  const detail = `at most ${messages} messages in ${per} ms may be sent, and ${queue} are already queued (limits.pace)`;
  return { code: "paced", sent: "no", detail, retryAfterMs: Math.ceil(retryAfterMs) };
}

export function congested(bufferedBytes: UpstreamLimits["buffered_bytes"]): Failure {
  const detail = `too many bytes are waiting to be sent (limits.buffered_bytes: ${bufferedBytes})`;
  return { code: "congested", sent: "no", detail, retryAfterMs: RETRY_SOON_MS };
}

/** The failure of a message for which the process has no memory. */
export function noMemory(limit: number, what = "the message"): Failure {
  const detail = `there is no room for ${what}: too much of limits.memory (${limit} bytes) is held`;
  return { code: "congested", sent: "no", detail, retryAfterMs: RETRY_SOON_MS };
}

/** The failure of a request whose Idempotency-Key came with another message before. */
export const keyMismatch: Failure = {
  code: "mismatch",
  sent: "no",
  detail: "this Idempotency-Key was used for another message: use a new key for a new message",
};

/** The failure of a read of messages that nothing holds up but the process itself. */
export function pageLate(waitedMs: number): Failure {
  const detail = `the messages did not come within ${waitedMs} ms: the process was stopped, or is too busy`;
  return { code: "upstream_down", sent: "no", detail, retryAfterMs: RETRY_SOON_MS };
}

/** The failure of a request whose reply came, and found no memory. */
export function noRoomFor({ limit }: Budget): Failure {
  const detail = `the reply came, but those that wait to be read leave no room for it (limits.memory: ${limit})`;
  return { code: "congested", sent: "yes", detail };
}

export function unavailable(availability: Extract<Availability, { type: "down" }>, now: number): Failure {
  const { failure, until, service } = availability;
  return {
    ...failure,
    ...(service && { detail: `${failure.detail}; ${served(service, now)}` }),
    sent: "no",
    retryAfterMs: until === undefined ? undefined : Math.max(0, Math.ceil(until - now)),
  };
}

/** Tells an upstream that was never there from one that went away. */
function served({ readyUntil, attempts }: PastService, now: number): string {
  if (readyUntil !== undefined) return `it was ready until ${ago(now - readyUntil)}`;
  return `it was never ready (${attempts === 1 ? "one attempt" : `${attempts} attempts`} since its thread started)`;
}

export function notConnected(waitedMs: number): Failure {
  const detail = `no connection to the upstream within ${Math.round(waitedMs)} ms`;
  return { code: "upstream_down", sent: "no", detail, retryAfterMs: RETRY_SOON_MS };
}

/**
 * The event that ends the wait of a message that went out: its reply, the pong that proves its delivery, or the room
 * that the next one has once the operating system has taken it.
 */
export type Awaited = "reply" | "pong" | "room";

/** The facts about the upstream when a request times out that was sent. */
interface Diagnosis {
  readonly now: number;
  readonly sentAt: number;
  /** How many frames of its reply have come. */
  readonly frames: number;
  /** The frames since it was sent that answered nothing. */
  readonly heard: Heard | undefined;
  /** The signs of life of its connection. */
  readonly signs: Readonly<Signs> | undefined;
  /** How many other requests wait for their replies. */
  readonly others: number;
}

export function unsentInTime(waitedMs: number): Failure {
  return { code: "reply_timeout", sent: "no", detail: `the message could not be sent ${within(waitedMs)}` };
}

export function timedOut(sent: Sent, waitedMs: number, awaited: Awaited, diagnosis: Diagnosis): Failure {
  const { now, sentAt, frames, heard, signs, others } = diagnosis;
  const parts = [
    frames === 0
      ? `${awaited === "room" ? "the upstream took nothing" : `no ${awaited} came`} ${within(waitedMs)}`
      : `the reply was not whole ${within(waitedMs)}: ${came(frames)}`,
  ];
  if (heard) {
    const why = heard.why === undefined ? "" : ` (${heard.why})`;
    parts.push(`${came(heard.frames)} that answered nothing; the last: ${heard.last}${why}`);
  } else if (signs) parts.push(signsSince(sentAt, signs, now));
  if (others > 0) parts.push(others === 1 ? "one other request waits, too" : `${others} other requests wait, too`);
  return { code: "reply_timeout", sent, detail: parts.join("; "), ...(heard && { heard }) };
}

/** The failure of a reply that began, and may have gone on, but did not end in time. */
export function notWhole(waitedMs: number): Failure {
  const detail = `the upstream sent a result, but did not complete the request ${within(waitedMs)}`;
  return { code: "reply_timeout", sent: "yes", detail };
}

function within(ms: number): string {
  return `within ${Math.round(ms)} ms`;
}

/** @param bound the name of the bound on the pause */
export function stalled(frames: number, pauseMs: number, bound = "limits.reply_pause"): Failure {
  const before = frames === 0 ? "no frame came" : `${came(frames)}, and then none`;
  const detail = `the reply stalled: ${before} for ${pauseMs} ms (${bound})`;
  return { code: "reply_timeout", sent: frames === 0 ? "maybe" : "yes", detail, final: true };
}

function came(frames: number): string {
  return frames === 1 ? "one frame came" : `${frames} frames came`;
}

function beforeThe(awaited: Awaited): string {
  return awaited === "room" ? " before the message was on its way" : ` before the ${awaited} came`;
}

export function lost(sent: Sent, why: Disconnect, awaited: Awaited): Failure {
  const detail = describeDisconnect(why, beforeThe(awaited));
  return { code: "connection_lost", sent, detail, cause: codeOf(why) };
}

export function unusable(why: string): Failure {
  return { code: "invalid_reply", sent: "yes", detail: why };
}

export const idReserved: Failure = {
  code: "invalid_request",
  sent: "no",
  detail: "the configuration uses this id in its greeting or heartbeat: use another id",
};

export const idTaken: Failure = {
  code: "invalid_request",
  sent: "no",
  detail:
    "a request with this id is in flight, or ended without its reply on this connection: use an id that is not in use",
};

/** @param bound the one that the frames of the reply exceeded */
export function tooMuch(bound: string): Failure {
  return { code: "invalid_reply", sent: "yes", detail: `the reply came in ${bound}` };
}

/** The failure of a reply as bytes whose last frame refuses it, or says that it was cut short. */
export const cutShort: Failure = {
  code: "invalid_reply",
  sent: "yes",
  detail: "the upstream ended the reply before its bytes were whole: request it as JSON or as lines to read why",
};

/** @param bound the one that the unread frames exceeded */
export function unread(bound: string): Failure {
  return { code: "invalid_reply", sent: "yes", detail: `the reply comes faster than it is read: ${bound} are unread` };
}

const WHOSE = {
  oldest: "this request is the oldest",
  only: "only this request is in flight",
  all: "all requests in flight fail with it",
} as const;

/** @param text the error, if the protocol knows it */
export function unnamed(sent: Sent, fails: keyof typeof WHOSE, text?: string): Failure {
  const error = text === undefined ? "" : `: ${text}`;
  return {
    code: "invalid_reply",
    sent,
    detail: `the upstream sent an error that names no request; ${WHOSE[fails]}${error}`,
  };
}

export function cancelled(sent: Sent, awaited: Awaited): Failure {
  return sent === "no" ? shuttingDown : { code: "cancelled", sent, detail: `the service stopped${beforeThe(awaited)}` };
}

/** Makes a failure an outcome. `own`: what the protocol kept of the caller's own id; returned if it is text. */
export function failed(failure: Failure, own: unknown, upstreamError?: string): Failed {
  return { type: "failed", failure, own: typeof own === "string" ? own : undefined, upstreamError };
}

/** Makes an outcome of a protocol's {@link InvalidMessage}. Any other error is a bug and is rethrown. */
export function invalid(error: unknown): Failed {
  if (!(error instanceof InvalidMessage)) throw error;
  const failure: Failure = { code: "invalid_request", sent: "no", detail: error.message };
  return { type: "failed", failure, own: error.own, invalid: error.kind };
}

/** A message that needs a value which no frame has brought. */
export function notReady({ message }: ValueMissing): Failure {
  return { code: "not_ready", sent: "no", detail: message, retryAfterMs: RETRY_SOON_MS };
}

/** Makes an outcome of an error of the last step before the socket. */
export function unsendable(error: unknown, own: unknown): Failed {
  if (error instanceof ValueMissing) return failed(notReady(error), own);
  const outcome = invalid(error);
  return { ...outcome, own: outcome.own ?? (typeof own === "string" ? own : undefined) };
}
