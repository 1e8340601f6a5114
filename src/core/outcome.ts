import type { Failure, Sent } from "../errors.ts";
import type { Body, Mode } from "../protocols/protocol.ts";

/** What callers ask for and what they get, as plain data that may cross between threads. */

/**
 * `send` asks for no reply, `confirm` for the proof that the peer has the message, `stream` for each frame of the reply as
 * it comes; the others differ in what a message without an id means.
 */
export type RequestKind = Mode | "send" | "confirm" | "stream";

/** How a request ended. */
export type Outcome =
  | Replied
  | Failed
  /** Handed to the socket, and no reply will come: a `send`, or a notification. Of a `confirm`: proven. */
  | { readonly type: "done" }
  | Batch;

export interface Batch {
  readonly type: "batch";
  /** In the caller's order; an item without a reply (a notification) is not in it. */
  readonly items: readonly (Replied | Failed)[];
  /** How many are not in it because they are done. */
  readonly done: number;
}

/** What who asks gets. `later` comes with a reply that is late: how it ended after all. It may never settle. */
export type CallerOutcome = Outcome | (Failed & { readonly later: Promise<Outcome> });

export interface Replied {
  readonly type: "reply";
  readonly body: Body;
  /** The bytes are those of a text, which was too long to be copied from thread to thread. */
  readonly isText?: boolean | undefined;
  /** Milliseconds before the message was handed to the socket, and from then to its reply. */
  readonly queueMs: number;
  readonly upstreamMs: number;
}

export interface Failed {
  readonly type: "failed";
  readonly failure: Failure;
  /** The caller's own id as it was written, where it had one that could be read. */
  readonly own?: string | undefined;
  /** Why the message was not one of the protocol: JSON-RPC tells −32700 and −32600 apart. */
  readonly invalid?: "parse" | "shape" | undefined;
}

export interface Counters {
  connects: number;
  requests: number;
  replies: number;
  failures: number;
  abandoned: number;
  /** Replies to requests that had already ended. */
  late: number;
  /** Replies to nothing that was asked: an id seen twice, or never issued. */
  unclaimed: number;
  messages: number;
  noise: number;
  /** Requests of the upstream's own that were answered by a rule. */
  answered: number;
}

export const zero: Readonly<Counters> = {
  connects: 0,
  requests: 0,
  replies: 0,
  failures: 0,
  abandoned: 0,
  late: 0,
  unclaimed: 0,
  messages: 0,
  noise: 0,
  answered: 0,
};

/** How many were cancelled, by whether their message had been sent. */
export type CancelCounts = Readonly<Record<Sent, number>>;

/** How many replies it has. */
export function repliesIn(outcome: Outcome): number {
  if (outcome.type === "batch") return outcome.items.filter((item) => item.type === "reply").length;
  return outcome.type === "reply" ? 1 : 0;
}

/** Whether certainly nothing of it was handed to the socket. */
export function isUnsent(outcome: Outcome): boolean {
  if (outcome.type === "batch") return outcome.done === 0 && outcome.items.every(isUnsent);
  return outcome.type === "failed" && outcome.failure.sent === "no";
}

/**
 * Why a batch has failed, where it can only be told as a whole: undefined when no item has. It would be repeated as a
 * whole, too, so one item that may have been sent is enough to say so.
 */
export function batchFailure(batch: Batch): Failure | undefined {
  const failed = batch.items.find((item) => item.type === "failed")?.failure;
  if (!failed || isUnsent(batch)) return failed;
  const proven = batch.items.some((item) => item.type === "reply" || item.failure.sent === "yes");
  return { code: failed.code, detail: failed.detail, sent: proven ? "yes" : "maybe" };
}

/** What a frame that waits to be read costs beside its own size: many small ones must not slip through the bound. */
const FRAME_BYTES = 128;

/** What a frame of a stream counts until its reader has taken it. Both sides of the thread boundary reckon with it. */
export function weightOf(frame: Body): number {
  return frame.length + FRAME_BYTES;
}
