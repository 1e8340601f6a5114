/** The outcomes of requests, as plain data that may cross between threads. */
import type { Failure, Sent } from "../errors.ts";
import type { Body, Mode } from "../protocols/protocol.ts";

/**
 * `send` requests no reply, `confirm` a proof that the peer has the message, `stream` each frame of the reply as it
 * arrives, `bytes` only the bytes in them; the others differ in the meaning of a message without an id.
 */
export type RequestKind = Mode | "send" | "confirm" | StreamKind;

/** The kinds of requests whose reply is passed on as it arrives. */
export type StreamKind = "stream" | "bytes";

const KINDS: Readonly<Record<RequestKind, true>> = {
  request: true,
  rpc: true,
  send: true,
  confirm: true,
  stream: true,
  bytes: true,
};

export function isKind(name: string): name is RequestKind {
  return Object.hasOwn(KINDS, name);
}

export function isStream(kind: RequestKind): kind is StreamKind {
  return kind === "stream" || kind === "bytes";
}

/** The time that a caller waits for its reply unless it says otherwise, in milliseconds. */
export const DEFAULT_TIMEOUT_MS = 25_000;

/** The longest time that a caller may wait for its reply, in milliseconds. */
export const MAX_TIMEOUT_MS = 120_000;

/** The bound on timed-out requests whose late replies are waited for, wherever that is. The oldest are dropped. */
export const LATE_MAX = 10_000;

/** The time that a caller waits for the upstream to agree to the end of a subscription, unless it says otherwise. */
export const UNSUBSCRIBE_TIMEOUT_MS = 5_000;

/** How a request ended. */
export type Outcome =
  | Replied
  | Failed
  /** A `send` or a notification was handed to the socket, and has no reply; a `confirm` was proven. */
  | Done
  | Batch;

interface Done {
  readonly type: "done";
  /** The connection that it went over; set only for one of a series. */
  readonly connection?: number | undefined;
}

export interface Batch {
  readonly type: "batch";
  /** In the caller's order, without the items that have no reply (notifications). */
  readonly items: readonly (Replied | Failed)[];
  /** Number of items that are done and therefore not in `items`. */
  readonly done: number;
}

/** The outcome that the caller receives. After a timeout, `later` resolves with the late outcome, if any. */
export type CallerOutcome = (Outcome | (Failed & { readonly later: Promise<Outcome> })) & {
  /** True if it is that of an earlier request with the same Idempotency-Key, which another replica may have had. */
  readonly isReplayed?: boolean;
};

export interface Replied {
  readonly type: "reply";
  readonly body: Body;
  /** True if `body` holds the bytes of a text that was too long to be copied between threads. */
  readonly isText?: boolean | undefined;
  /** True if, of a reply as bytes, the last frame refuses it or says that it was cut short. */
  readonly isCut?: boolean | undefined;
  /** Milliseconds until the message was handed to the socket, and from then until its reply. */
  readonly queueMs: number;
  readonly upstreamMs: number;
}

export interface Failed {
  readonly type: "failed";
  readonly failure: Failure;
  /** The caller's own id as written, if the message had a readable one. */
  readonly own?: string | undefined;
  /** Why the message violates the protocol: JSON-RPC distinguishes −32700 (parse) from −32600 (shape). */
  readonly invalid?: "parse" | "shape" | undefined;
  /** The upstream's own error, as JSON, of a request that it can only have been meant for. */
  readonly upstreamError?: string | undefined;
}

export interface Counters {
  connects: number;
  requests: number;
  replies: number;
  failures: number;
  abandoned: number;
  /** Replies to requests that had already ended. */
  late: number;
  /** Replies that match no request: their id came twice, or was never issued. */
  unclaimed: number;
  messages: number;
  noise: number;
  /** Frames that are neither messages nor replies, by a rule. */
  ignored: number;
  /** Requests from the upstream that were answered by a rule, or by a caller's reply. */
  answered: number;
  /** Requests from the upstream that got no answer, because their message was not delivered in time. */
  unanswered: number;
}

export const zeroCounters: Readonly<Counters> = {
  connects: 0,
  requests: 0,
  replies: 0,
  failures: 0,
  abandoned: 0,
  late: 0,
  unclaimed: 0,
  messages: 0,
  noise: 0,
  ignored: 0,
  answered: 0,
  unanswered: 0,
};

/** Numbers of cancelled requests, by whether their message had been sent. */
export type CancelCounts = Readonly<Record<Sent, number>>;

/** Returns the number of replies in the outcome. */
export function repliesIn(outcome: Outcome): number {
  if (outcome.type === "batch") return outcome.items.filter((item) => item.type === "reply").length;
  return outcome.type === "reply" ? 1 : 0;
}

/** True if certainly nothing of the request was handed to the socket. */
export function isUnsent(outcome: Outcome): boolean {
  if (outcome.type === "batch") return outcome.done === 0 && outcome.items.every(isUnsent);
  return outcome.type === "failed" && outcome.failure.sent === "no";
}

/** How far the message has come that has this outcome; of a batch, the one that has come furthest. */
export function sentOf(outcome: Outcome): Sent {
  if (isUnsent(outcome)) return "no";
  if (outcome.type === "failed") return outcome.failure.sent;
  if (outcome.type === "done") return "maybe";
  if (outcome.type === "reply") return "yes";
  return outcome.items.some((item) => sentOf(item) === "yes") ? "yes" : "maybe";
}

/**
 * Reduces a batch to one failure, for callers that can only report the whole; undefined if no item failed. The caller
 * would also repeat it as a whole, so one item that may have been sent is enough for the batch to count as such.
 */
export function batchFailure(batch: Batch): Failure | undefined {
  const failed = batch.items.find((item) => item.type === "failed")?.failure;
  if (!failed || isUnsent(batch)) return failed;
  const proven = batch.items.some((item) => item.type === "reply" || item.failure.sent === "yes");
  return { code: failed.code, detail: failed.detail, sent: proven ? "yes" : "maybe" };
}

/**
 * The failure of a batch of which nothing was sent, and which may be repeated as a whole; undefined if an item has a
 * reply, was sent, or is invalid.
 */
export function repeatableFailure({ items, done }: Omit<Batch, "type">): Failure | undefined {
  const isRepeatable = (item: Replied | Failed) => isUnsent(item) && !isInvalid(item);
  const [first] = items;
  return first?.type === "failed" && done === 0 && items.every(isRepeatable) ? first.failure : undefined;
}

function isInvalid(item: Replied | Failed): boolean {
  return item.type === "failed" && item.failure.code === "invalid_request";
}

/** From this size on a reply counts in the budget, and crosses between threads as bytes that are not copied. */
export const HEAVY_BYTES = 64 * 1024;

const encoder = new TextEncoder();

/** The reply with its text as bytes. */
export function inBytes(reply: Replied): Replied & { readonly body: Uint8Array } {
  const { body } = reply;
  return typeof body === "string" ? { ...reply, body: encoder.encode(body), isText: true } : { ...reply, body };
}

/** The bytes of an outcome that count in the budget from its arrival on. */
export function countedBytes(outcome: Outcome): number {
  if (outcome.type === "batch") {
    return outcome.items.reduce((total, item) => total + (item.type === "reply" ? item.body.length : 0), 0);
  }
  return outcome.type === "reply" && outcome.body.length >= HEAVY_BYTES ? outcome.body.length : 0;
}

/** Overhead of a buffered frame, in bytes: without it, many small frames would slip through the bound. */
const FRAME_BYTES = 128;

/** The weight of a streamed frame until its reader has taken it, as counted on both sides of the thread boundary. */
export function weightOf(frame: Body): number {
  return frame.length + FRAME_BYTES;
}
