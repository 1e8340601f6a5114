import type { Batch } from "./messages.ts";

/** The part of a MessagePort that an outbox needs. */
export interface Sender {
  postMessage(message: unknown, transfer: readonly ArrayBuffer[]): void;
}

/** Bytes from this size on are handed over instead of copied: below it the copy costs less than the bookkeeping. */
const TRANSFER_BYTES = 64 * 1024;

/** Gathers the messages of one turn of the event loop, and lets them cross together. */
export class Outbox<Message> {
  readonly #port: Sender;
  readonly #now: () => number;
  #messages: Message[] = [];
  #transfer: ArrayBuffer[] = [];

  constructor(port: Sender, now: () => number) {
    this.#port = port;
    this.#now = now;
  }

  push(message: Message): void {
    if (this.#messages.push(message) === 1) setImmediate(() => this.flush());
  }

  /** Makes bytes fit to cross: a view into a larger buffer would drag all of that with it. What is given is given away. */
  pack<Bytes extends string | Uint8Array>(body: Bytes): Bytes {
    if (typeof body === "string") return body;
    const whole = body.byteLength === body.buffer.byteLength;
    const packed = whole && body.constructor === Uint8Array ? body : new Uint8Array(body);
    if (packed.byteLength >= TRANSFER_BYTES) this.#transfer.push(packed.buffer as ArrayBuffer);
    return packed as Bytes;
  }

  /** At once, instead of at the end of the turn. */
  flush(): void {
    if (this.#messages.length === 0) return;
    const batch: Batch<Message> = { at: this.#now(), messages: this.#messages };
    const transfer = this.#transfer;
    this.#messages = [];
    this.#transfer = [];
    this.#port.postMessage(batch, transfer);
  }
}
