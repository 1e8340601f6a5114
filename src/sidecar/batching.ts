import type { Page } from "../core/messages/journal.ts";
import type { Body } from "../protocols/protocol.ts";
import type { FromThread, ToThread } from "./contract.ts";

/**
 * The way across: the messages of one turn of the event loop go together, but not more than the other side can begin with
 * while the turn goes on, and at once where nothing else is to be expected. Requests and replies, of which there are
 * thousands, are laid out flat, as values in a row: copying an object costs as much for the names of its members as for
 * what is in them. Everything else crosses as it is.
 */

/** The part of a MessagePort that an outbox needs. */
export interface Sender {
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
}

/** What crosses in one go. `at` is the sender's clock, by which the thread learns how its own differs from the host's. */
export interface MessageBatch {
  readonly at: number;
  /** Messages; or a name, and behind it what belongs to it. */
  readonly row: readonly unknown[];
}

type ContractMessage = ToThread | FromThread;
type Request = Extract<ToThread, { type: "request" }>;

/**
 * The bytes of a reply are handed over from this size on instead of copied, and so is its text, as bytes: whoever gets
 * it is spared the copy and the encoding. Below it the copy costs less than the bookkeeping.
 */
const TRANSFER_BYTES = 64 * 1024;

/** So many together cost little more each than all would, and with 64 connections a quarter more requests pass. */
const TOGETHER_MAX = 16;

const encoder = new TextEncoder();

export class Outbox<Sent extends ContractMessage> {
  readonly #port: Sender;
  readonly #now: () => number;
  #row: unknown[] = [];
  #count = 0;
  #countBefore = 1;
  /** Whether a flush waits for the turn's end. */
  #endsTurn = false;
  #transfer: ArrayBuffer[] = [];

  constructor(port: Sender, now: () => number) {
    this.#port = port;
    this.#now = now;
  }

  /** `alone`: nothing else is on its way. Then it goes at once, unless there was more together the last time. */
  push(message: Sent, alone = false): void {
    this.#pack(message);
    this.#count++;
    if ((alone && this.#countBefore === 1) || this.#count === TOGETHER_MAX) this.flush();
    else if (!this.#endsTurn) this.#flushAtEnd();
  }

  #flushAtEnd(): void {
    this.#endsTurn = true;
    setImmediate(() => {
      this.#endsTurn = false;
      this.flush();
    });
  }

  #pack(message: Sent): void {
    const row = this.#row;
    if (message.type === "request") {
      const { upstream, seq, kind, body, deadline } = message;
      // A caller's bytes are the caller's: they may be wanted again, for an equivalent of an upstream that is not there.
      row.push("request", upstream, seq, crossing(body), deadline, kind);
    } else if ((message.type === "settled" || message.type === "late") && message.outcome.type === "reply") {
      const { body, queueMs, upstreamMs } = message.outcome;
      const long = typeof body === "string" && body.length >= TRANSFER_BYTES;
      const fit = this.#give(long ? encoder.encode(body) : body);
      row.push(message.type, message.upstream, message.seq, fit, queueMs, upstreamMs, long);
    } else if (message.type === "part") {
      row.push("part", message.upstream, message.seq, this.#give(message.body));
    } else if (message.type === "page" && typeof message.page !== "string") {
      row.push(withData(message, message.page, crossing));
    } else {
      row.push(message);
    }
  }

  /** What a reply is made of is given away with it. */
  #give(body: Body): string | ArrayBuffer {
    const fit = crossing(body);
    if (typeof fit !== "string" && fit.byteLength >= TRANSFER_BYTES) this.#transfer.push(fit);
    return fit;
  }

  /** At once, instead of at the end of the turn. */
  flush(): void {
    if (this.#row.length === 0) return;
    const batch: MessageBatch = { at: this.#now(), row: this.#row };
    const transfer = this.#transfer;
    this.#row = [];
    this.#countBefore = this.#count;
    this.#count = 0;
    this.#transfer = [];
    if (transfer.length > 0) this.#port.postMessage(batch, transfer);
    else this.#port.postMessage(batch);
  }
}

/** Gives the messages of a batch, in their order. */
export function unpack<Received extends ContractMessage>(
  { row }: MessageBatch,
  take: (message: Received) => void,
): void {
  for (let at = 0; at < row.length; ) {
    const type = row[at];
    if (typeof type !== "string") {
      const message = type as ContractMessage;
      const isPage = message.type === "page" && typeof message.page !== "string";
      take((isPage ? withData(message, message.page as Page, crossed) : message) as Received);
      at += 1;
      continue;
    }
    const [upstream, seq, body] = [row[at + 1] as string, row[at + 2] as number, crossed(row[at + 3])];
    if (type === "part") {
      take({ type, upstream, seq, body } as Received);
      at += 4;
    } else if (type === "request") {
      const [deadline, kind] = [row[at + 4] as number, row[at + 5] as Request["kind"]];
      take({ type, upstream, seq, kind, body, deadline } as Received);
      at += 6;
    } else {
      const [queueMs, upstreamMs, isText] = [row[at + 4] as number, row[at + 5] as number, row[at + 6] as boolean];
      take({ type, upstream, seq, outcome: { type: "reply", body, isText, queueMs, upstreamMs } } as Received);
      at += 7;
    }
  }
}

/**
 * Bytes as they cross: by themselves, since a view into a larger buffer would drag all of that with it, and as a buffer,
 * since Deno takes 120 ns for each element of a typed array that arrives: a second for 8 MB.
 */
function crossing(body: Body): string | ArrayBuffer {
  if (typeof body === "string") return body;
  const whole = body.byteLength === body.buffer.byteLength && body.constructor === Uint8Array;
  return (whole ? body : new Uint8Array(body)).buffer as ArrayBuffer;
}

function crossed(body: unknown): Body {
  return typeof body === "string" ? body : new Uint8Array(body as ArrayBuffer);
}

function withData(message: ContractMessage & { type: "page" }, page: Page, change: (data: Body) => unknown): unknown {
  const entries = page.entries.map((one) => ("gap" in one ? one : { ...one, data: change(one.data) }));
  return { ...message, page: { ...page, entries } };
}
