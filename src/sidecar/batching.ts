/** Batching of the messages that cross the thread boundary. */

import type { Pack, RowFromThread, RowToThread, Transferred } from "./message-codec.ts";

/** The part of a MessagePort that an outbox needs. */
export interface Sender {
  postMessage(message: unknown, transfer?: readonly Transferred[]): void;
}

/** The messages that cross in one postMessage. */
export interface MessageBatch<Row extends RowToThread | RowFromThread> {
  /** The sender's clock, from which the thread learns how far its own differs from the host's. */
  readonly at: number;
  readonly row: Row;
}

/**
 * The size of a full batch. A message costs little more in it than in a larger one, and the receiver begins while the
 * sender's turn goes on: with 64 connections, a quarter more requests pass.
 */
const TOGETHER_MAX = 16;

/** Collects the messages of one turn of the event loop and posts them in batches. */
export class Outbox<Message> {
  readonly #port: Sender;
  readonly #now: () => number;
  readonly #pack: Pack<Message>;
  #row: unknown[] = [];
  #count = 0;
  #countBefore = 1;
  #flushIsScheduled = false;
  #transfer: Transferred[] = [];

  constructor(port: Sender, now: () => number, pack: Pack<Message>) {
    this.#port = port;
    this.#now = now;
    this.#pack = pack;
  }

  /** @param alone true if no other message is on its way: posts it at once, unless the last batch had several */
  push(message: Message, alone = false): void {
    this.#pack(message, this.#row, this.#transfer);
    this.#count++;
    if ((alone && this.#countBefore === 1) || this.#count === TOGETHER_MAX) this.flush();
    else if (!this.#flushIsScheduled) this.#scheduleFlush();
  }

  #scheduleFlush(): void {
    this.#flushIsScheduled = true;
    setImmediate(() => {
      this.#flushIsScheduled = false;
      this.flush();
    });
  }

  /** Posts the batch now instead of at the end of the turn. */
  flush(): void {
    if (this.#row.length === 0) return;
    const batch = { at: this.#now(), row: this.#row };
    const transfer = this.#transfer;
    this.#row = [];
    this.#countBefore = this.#count;
    this.#count = 0;
    this.#transfer = [];
    if (transfer.length > 0) this.#port.postMessage(batch, transfer);
    else this.#port.postMessage(batch);
  }
}
