/** Endless response, written at the pace of its reader. */

import type { Context } from "hono";
import type { Budget } from "../../core/util/budget.ts";
import type { Env } from "../env.ts";
import { hold } from "../held-bytes.ts";
import type { ResponseStream } from "../ports.ts";
import type { ResponseHeaders } from "../problem.ts";
import { STUCK_MS } from "../whole-response.ts";

/** Bytes written ahead of the reader; at this many its source pauses. */
const AHEAD_BYTES = 64 * 1024;
/** Proxies give up on a stream that is silent for 60 s. */
const HEARTBEAT_MS = 15_000;
/** The bytes that are handed over at a time: less than what a connection takes makes no progress visible. */
const PIECE_BYTES = 128 * 1024;
/** Up to this size, bytes go to the connection directly. A drain must follow more of them: it gives others a turn. */
const DIRECT_BYTES = 16 * 1024;
/** A reader that takes nothing for this long, although bytes are waiting, is cut; if they are many, sooner. */
const STALLED_MS = 60_000;

/**
 * The heartbeat of a stream of JSON lines: white space before the next line. An empty line would be one that most
 * parsers refuse.
 */
export const LINE_BEAT = " ";

/** Headers of an endless response: no proxy may hold it back to compress or buffer it. */
export function streamHeaders(headers: ResponseHeaders, mediaType: string): ResponseHeaders {
  return {
    ...headers,
    "Content-Type": mediaType,
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
  };
}

export interface PacedSource {
  /** Called when there is room for more. */
  resume(): void;
  /** Called when the reader has left or was cut. */
  left(): void;
  /** The heartbeat for times without data; undefined before the stream has begun. */
  beat(): string | undefined;
}

/** The way to the reader; `waiting` is the number of bytes written but not yet taken. */
interface Pipe {
  readonly waiting: number;
  write(bytes: Uint8Array): void;
  /** Writes the last bytes together with the end, so that a reader who has them sees it, too. */
  end(last: Uint8Array): void;
  /** Breaks the response, so that the reader cannot take this for its end. */
  cut(): void;
}

interface PipeEvents {
  /** Called when bytes were taken. */
  drained(): void;
  /** Called when the reader has closed. */
  left(): void;
}

const encoder = new TextEncoder();

export class PacedResponse {
  readonly #source: PacedSource;
  readonly #heartbeat: NodeJS.Timeout;
  #pipe: Pipe | undefined;
  #stalled: NodeJS.Timeout | undefined;
  /** Pieces that wait to be written, and the place reached in the first of them. */
  readonly #rest: { readonly bytes: Uint8Array; readonly release: () => void }[] = [];
  #at = 0;
  #waiting = 0;
  /** The end of the response, if it was written before its rest was. */
  #last: { readonly data: string | Uint8Array; readonly isWhole: boolean } | undefined;
  readonly #budget: Budget;
  #onEnd: () => void;

  /** @param onEnd called once nobody reads any more */
  constructor(source: PacedSource, budget: Budget, onEnd: () => void = () => {}) {
    this.#onEnd = onEnd;
    this.#source = source;
    this.#budget = budget;
    this.#heartbeat = setInterval(() => {
      const beat = this.room > 0 ? source.beat() : undefined;
      if (beat !== undefined) this.write(beat);
    }, HEARTBEAT_MS).unref();
  }

  /**
   * Begins the response. On our own listener it writes to Node's response directly: a web stream costs several promises
   * per write. To HEAD it responds without a body, and nobody reads (RFC 9110, section 9.3.2).
   */
  respond(c: Context<Env>, headers: ResponseHeaders): Response {
    if (c.req.method === "HEAD") {
      this.#close();
      this.#source.left();
      return c.body(null, 200, headers);
    }
    const events = { drained: () => this.#drained(), left: () => this.#leave() };
    if (c.env?.exclusive) {
      const { outgoing } = c.env;
      outgoing.writeHead(200, { ...Object.fromEntries(c.res.headers), ...headers });
      outgoing.flushHeaders();
      this.#pipe = pipeToListener(outgoing, events);
      // A placeholder: the listener sees that the response is written already.
      return c.body(null);
    }
    const { pipe, readable } = pipeToBody(events);
    this.#pipe = pipe;
    return c.body(readable, 200, headers);
  }

  /** Bytes that may still be written; zero or less if the reader has enough. */
  get room(): number {
    return this.#pipe ? AHEAD_BYTES - this.#pipe.waiting - this.#waiting : 0;
  }

  /** Must be the caller's last step: it may call `resume` before it returns. */
  write(data: string | Uint8Array): void {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    if (bytes.length === 0 || !this.#pipe) return;
    if (bytes.length <= PIECE_BYTES && this.#rest.length === 0) this.#pipe.write(bytes);
    else {
      // Shared by all readers of the page, and not copied: each has its own place in it.
      this.#rest.push({ bytes, release: hold(this.#budget, "pages", bytes) });
      this.#waiting += bytes.length;
      this.#writeRest();
    }
    if (this.#pipe && this.room <= 0) this.#watch();
  }

  /** Writes the next piece of what waits. */
  #writeRest(): void {
    const [first] = this.#rest;
    if (!first) return;
    const piece = first.bytes.subarray(this.#at, this.#at + PIECE_BYTES);
    this.#at += piece.length;
    this.#waiting -= piece.length;
    if (this.#at >= first.bytes.length) {
      this.#rest.shift();
      this.#at = 0;
      first.release();
    }
    this.#pipe?.write(piece);
  }

  #watch(): void {
    const withinMs = this.#waiting > PIECE_BYTES ? STUCK_MS : STALLED_MS;
    this.#stalled ??= setTimeout(() => this.#cut(), withinMs).unref();
  }

  /**
   * Ends the response after `data`, which the reader may still take.
   * @param isWhole false to cut it then, so that the reader cannot take this for its end
   */
  end(data: string | Uint8Array, isWhole = true): void {
    if (this.#rest.length > 0) {
      this.#last = { data, isWhole };
      return;
    }
    const pipe = this.#pipe;
    this.#close();
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    if (isWhole) {
      pipe?.end(bytes);
      return;
    }
    if (bytes.length > 0) pipe?.write(bytes);
    pipe?.cut();
  }

  #drained(): void {
    if (!this.#pipe) return;
    clearTimeout(this.#stalled);
    this.#stalled = undefined;
    if (this.#rest.length > 0) {
      this.#writeRest();
      // No drain follows a last piece that is small: it was taken at once.
      if (this.#rest.length > 0 || this.room <= 0) {
        this.#watch();
        return;
      }
    }
    if (this.#last === undefined) this.#source.resume();
    else this.end(this.#last.data, this.#last.isWhole);
  }

  #cut(): void {
    const pipe = this.#pipe;
    this.#leave();
    pipe?.cut();
  }

  #leave(): void {
    if (!this.#pipe) return;
    this.#close();
    this.#source.left();
  }

  #close(): void {
    clearInterval(this.#heartbeat);
    clearTimeout(this.#stalled);
    this.#pipe = undefined;
    this.#onEnd();
    this.#onEnd = () => {};
    for (const { release } of this.#rest.splice(0)) release();
    this.#waiting = 0;
  }
}

function pipeToListener(outgoing: ResponseStream, { drained, left }: PipeEvents): Pipe {
  // Node would frame a chunk per reader; ours is shared. HTTP/1.0 has no chunks: there the connection's end is the end.
  const inChunks = outgoing.chunkedEncoding;
  outgoing.chunkedEncoding = false;
  outgoing.on("drain", drained);
  outgoing.on("close", left);
  outgoing.on("error", left);
  let waits = false;
  const onDrain = () => {
    waits = false;
    drained();
  };
  const write = (chunk: Uint8Array) => {
    const { socket } = outgoing;
    // The response would cork the connection, and write in a later turn: a tenth more for each of many readers.
    if (chunk.length > DIRECT_BYTES || !socket?.writable) outgoing.write(chunk);
    else if (!socket.write(chunk) && !waits) {
      waits = true;
      socket.once("drain", onDrain);
    }
  };
  return {
    get waiting() {
      return outgoing.writableLength;
    },
    write: (bytes) => write(inChunks ? chunkOf(bytes) : bytes),
    end(last) {
      const chunk = inChunks && last.length > 0 ? chunkOf(last) : last;
      const ending = inChunks ? Buffer.concat([chunk, LAST_CHUNK]) : chunk;
      if (ending.length > 0) write(ending);
      outgoing.end();
    },
    cut: () => outgoing.destroy(),
  };
}

// RFC 9112, section 7.1.
const LAST_CHUNK: Uint8Array = encoder.encode("0\r\n\r\n");
const CRLF = encoder.encode("\r\n");
let lastFramed: { readonly of: Uint8Array; readonly chunk: Uint8Array } = { of: CRLF, chunk: LAST_CHUNK };

/** Readers at the end of a journal get the same bytes one after the other, so one framed chunk is remembered. */
function chunkOf(bytes: Uint8Array): Uint8Array {
  if (lastFramed.of !== bytes) {
    const size = encoder.encode(`${bytes.byteLength.toString(16)}\r\n`);
    lastFramed = { of: bytes, chunk: Buffer.concat([size, bytes, CRLF]) };
  }
  return lastFramed.chunk;
}

function pipeToBody({ drained, left }: PipeEvents): { pipe: Pipe; readable: ReadableStream<Uint8Array> } {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const source = {
    start(streamController: typeof controller) {
      controller = streamController;
    },
    pull: drained,
    cancel: left,
  };
  const readable = new ReadableStream(source, new ByteLengthQueuingStrategy({ highWaterMark: AHEAD_BYTES }));
  const pipe: Pipe = {
    get waiting() {
      return AHEAD_BYTES - (controller.desiredSize ?? 0);
    },
    write: (bytes) => controller.enqueue(bytes),
    end(last) {
      if (last.length > 0) controller.enqueue(last);
      controller.close();
    },
    cut: () => controller.error(new Error("the reader has stalled")),
  };
  return { pipe, readable };
}
