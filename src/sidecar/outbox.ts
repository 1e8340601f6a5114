import type { Body } from "../protocols/protocol.ts";
import type { FromThread, ToThread } from "./messages.ts";

/**
 * The way across: the messages of one turn of the event loop go together. Requests and replies, of which there are
 * thousands, are laid out flat, as values in a row: copying an object costs as much for the names of its members as for
 * what is in them. Everything else crosses as it is.
 */

/** The part of a MessagePort that an outbox needs. */
export interface Sender {
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
}

/** What crosses in one go. `at` is the sender's clock, by which the thread learns how its own differs from the host's. */
export interface Batch {
  readonly at: number;
  /** Messages; or a name, and behind it what belongs to it. */
  readonly row: readonly unknown[];
}

type Message = ToThread | FromThread;
type Request = Extract<ToThread, { type: "request" }>;

/**
 * Bytes from this size on are handed over instead of copied, and so is a text, as bytes: whoever gets it is spared the
 * copy and the encoding. Below it the copy costs less than the bookkeeping.
 */
const TRANSFER_BYTES = 64 * 1024;

const encoder = new TextEncoder();

export class Outbox<Sent extends Message> {
  readonly #port: Sender;
  readonly #now: () => number;
  #row: unknown[] = [];
  #transfer: ArrayBuffer[] = [];

  constructor(port: Sender, now: () => number) {
    this.#port = port;
    this.#now = now;
  }

  push(message: Sent): void {
    const row = this.#row;
    if (row.length === 0) setImmediate(() => this.flush());
    if (message.type === "request") {
      const { upstream, seq, kind, body, deadline } = message;
      row.push("request", upstream, seq, kind, body, deadline);
    } else if ((message.type === "settled" || message.type === "late") && message.outcome.type === "reply") {
      const { body, queueMs, upstreamMs } = message.outcome;
      const long = typeof body === "string" && body.length >= TRANSFER_BYTES;
      const fit = this.#fit(long ? encoder.encode(body) : body);
      row.push(message.type, message.upstream, message.seq, fit, queueMs, upstreamMs, long);
    } else if (message.type === "part") {
      row.push({ ...message, body: this.#fit(message.body) });
    } else {
      row.push(message);
    }
  }

  /** Makes bytes fit to cross: a view into a larger buffer would drag all of that with it. What is given is given away. */
  #fit(body: Body): Body {
    if (typeof body === "string") return body;
    const whole = body.byteLength === body.buffer.byteLength;
    const fit = whole && body.constructor === Uint8Array ? body : new Uint8Array(body);
    if (fit.byteLength >= TRANSFER_BYTES) this.#transfer.push(fit.buffer as ArrayBuffer);
    return fit;
  }

  /** At once, instead of at the end of the turn. */
  flush(): void {
    if (this.#row.length === 0) return;
    const batch: Batch = { at: this.#now(), row: this.#row };
    const transfer = this.#transfer;
    this.#row = [];
    this.#transfer = [];
    if (transfer.length > 0) this.#port.postMessage(batch, transfer);
    else this.#port.postMessage(batch);
  }
}

/** Gives the messages of a batch, in their order. */
export function unpack<Received extends Message>({ row }: Batch, take: (message: Received) => void): void {
  for (let at = 0; at < row.length; ) {
    const type = row[at];
    if (typeof type !== "string") {
      take(type as Received);
      at += 1;
      continue;
    }
    const [upstream, seq] = [row[at + 1] as string, row[at + 2] as number];
    if (type === "request") {
      const [kind, body, deadline] = [row[at + 3] as Request["kind"], row[at + 4] as Body, row[at + 5] as number];
      take({ type, upstream, seq, kind, body, deadline } as Received);
      at += 6;
    } else {
      const [body, queueMs, upstreamMs] = [row[at + 3] as Body, row[at + 4] as number, row[at + 5] as number];
      const isText = row[at + 6] as boolean;
      take({ type, upstream, seq, outcome: { type: "reply", body, isText, queueMs, upstreamMs } } as Received);
      at += 7;
    }
  }
}
