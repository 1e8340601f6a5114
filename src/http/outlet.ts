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
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #stalled: NodeJS.Timeout | undefined;

  constructor(outflow: Outflow) {
    this.#outflow = outflow;
    const source = {
      start: (controller: ReadableStreamDefaultController<Uint8Array>) => {
        this.#controller = controller;
      },
      pull: () => {
        clearTimeout(this.#stalled);
        this.#stalled = undefined;
        outflow.resume();
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
    return this.#controller?.desiredSize ?? 0;
  }

  /** Call it last: it may ask for more before it returns. */
  write(data: string | Uint8Array): void {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    if (bytes.length === 0) return;
    this.#controller?.enqueue(bytes);
    if (this.#controller && this.room <= 0) this.#stalled ??= setTimeout(() => this.#cut(), STALLED_MS).unref();
  }

  /** Nothing comes after this. The reader may still take it. */
  end(last: string): void {
    const controller = this.#controller;
    this.#close();
    if (last !== "") controller?.enqueue(encoder.encode(last));
    controller?.close();
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
