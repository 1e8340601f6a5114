import type { ReadableStreamDefaultController } from "node:stream/web";

/** The way out of an answer without an end, to a caller who reads in its own time. */

/** What has been made for a reader and not yet been taken: from here on it gets no more, in bytes. */
const AHEAD_BYTES = 64 * 1024;
/** Proxies give up on a stream that is silent for 60 s. */
const HEARTBEAT_MS = 15_000;
/** A reader that takes nothing for so long, while there is something for it, is cut. */
const STALLED_MS = 60_000;

export interface Outflow {
  /** There is room for more. */
  resume(): void;
  /** The reader has left, or was cut. */
  left(): void;
  /** Says that nothing is wrong, in a time with nothing to say; undefined where there are no words for it. */
  beat?(): string | undefined;
}

const encoder = new TextEncoder();

export class Outlet {
  readonly readable: ReadableStream<Uint8Array>;
  readonly #outflow: Outflow;
  readonly #heartbeat: NodeJS.Timeout;
  readonly #stalledMs: number;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #stalled: NodeJS.Timeout | undefined;
  /** Of what was written, what is not in the stream yet: it goes there in pieces, so that who reads slowly is seen to read. */
  #rest: Uint8Array = new Uint8Array(0);

  constructor(outflow: Outflow, stalledMs = STALLED_MS) {
    this.#outflow = outflow;
    this.#stalledMs = stalledMs;
    const source = {
      start: (controller: ReadableStreamDefaultController<Uint8Array>) => {
        this.#controller = controller;
      },
      pull: () => {
        clearTimeout(this.#stalled);
        this.#stalled = undefined;
        if (this.#rest.length > 0) this.#give();
        else outflow.resume();
      },
      cancel: () => this.#leave(),
    };
    this.readable = new ReadableStream(source, new ByteLengthQueuingStrategy({ highWaterMark: AHEAD_BYTES }));
    this.#heartbeat = setInterval(() => {
      const beat = this.room > 0 ? outflow.beat?.() : undefined;
      if (beat !== undefined) this.write(beat);
    }, HEARTBEAT_MS).unref();
  }

  /** In bytes; nothing or less when the reader has enough. */
  get room(): number {
    return this.#rest.length > 0 ? 0 : (this.#controller?.desiredSize ?? 0);
  }

  /** Only where there is room. Call it last: it may ask for more before it returns. */
  write(data: string | Uint8Array): void {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    if (bytes.length === 0 || !this.#controller) return;
    this.#rest = bytes;
    this.#give();
  }

  /** Nothing comes after this. The reader may still take it. */
  end(last: string): void {
    const controller = this.#controller;
    this.#close();
    if (this.#rest.length > 0) controller?.enqueue(this.#rest);
    if (last !== "") controller?.enqueue(encoder.encode(last));
    controller?.close();
  }

  #give(): void {
    const piece = this.#rest.subarray(0, AHEAD_BYTES);
    this.#rest = this.#rest.subarray(AHEAD_BYTES);
    this.#controller?.enqueue(piece);
    if (this.#controller && this.room <= 0) this.#stalled ??= setTimeout(() => this.#cut(), this.#stalledMs).unref();
  }

  #cut(): void {
    const controller = this.#controller;
    this.#leave();
    controller?.error(new Error("the reader does not read"));
  }

  #leave(): void {
    this.#close();
    this.#outflow.left();
  }

  #close(): void {
    clearInterval(this.#heartbeat);
    clearTimeout(this.#stalled);
    this.#controller = undefined;
  }
}
