import type { Context } from "hono";
import type { Env, ResponseStream } from "../ports.ts";
import type { ResponseHeaders } from "../problem.ts";

/** The way out of an answer without an end, to a caller who reads in its own time. */

/** What has been made for a reader and not yet been taken: from here on it gets no more, in bytes. */
const AHEAD_BYTES = 64 * 1024;
/** Proxies give up on a stream that is silent for 60 s. */
const HEARTBEAT_MS = 15_000;
/** A reader that takes nothing for so long, while there is something for it, is cut. */
const STALLED_MS = 60_000;

export interface PacedSource {
  /** There is room for more. */
  resume(): void;
  /** The reader has left, or was cut. */
  left(): void;
  /** Says that nothing is wrong, in a time with nothing to say; undefined where there are no words for it. */
  beat?(): string | undefined;
}

/** Where it goes: of what was written, `waiting` bytes have not been taken. */
interface Pipe {
  readonly waiting: number;
  write(bytes: Uint8Array): void;
  end(): void;
  /** Breaks it, so that nobody takes it for the end. */
  cut(): void;
}

interface PipeEvents {
  /** Less is waiting than was. */
  drained(): void;
  /** The other end has gone. */
  left(): void;
}

const encoder = new TextEncoder();

export class PacedResponse {
  readonly #outflow: PacedSource;
  readonly #heartbeat: NodeJS.Timeout;
  #pipe: Pipe | undefined;
  #stalled: NodeJS.Timeout | undefined;

  constructor(outflow: PacedSource) {
    this.#outflow = outflow;
    this.#heartbeat = setInterval(() => {
      const beat = this.room > 0 ? outflow.beat?.() : undefined;
      if (beat !== undefined) this.write(beat);
    }, HEARTBEAT_MS).unref();
  }

  /**
   * The response whose body comes through here, from now on. On our own listener it is written as it is: a web stream
   * costs several promises for each write.
   */
  respond(c: Context<Env>, headers: ResponseHeaders): Response {
    const events = { drained: () => this.#drained(), left: () => this.#leave() };
    if (c.env?.exclusive) {
      const { outgoing } = c.env;
      outgoing.writeHead(200, { ...Object.fromEntries(c.res.headers), ...headers });
      outgoing.flushHeaders();
      this.#pipe = intoAnswer(outgoing, events);
      // Of which the listener knows that it is written already.
      return c.body(null);
    }
    const { pipe, readable } = intoBody(events);
    this.#pipe = pipe;
    return c.body(readable, 200, headers);
  }

  /** In bytes; nothing or less when the reader has enough. */
  get room(): number {
    return this.#pipe ? AHEAD_BYTES - this.#pipe.waiting : 0;
  }

  /** Call it last: it may ask for more before it returns. */
  write(data: string | Uint8Array): void {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    if (bytes.length === 0) return;
    this.#pipe?.write(bytes);
    if (this.#pipe && this.room <= 0) this.#stalled ??= setTimeout(() => this.#cut(), STALLED_MS).unref();
  }

  /** Nothing comes after this. The reader may still take it. */
  end(last: string): void {
    const pipe = this.#pipe;
    this.#close();
    if (last !== "") pipe?.write(encoder.encode(last));
    pipe?.end();
  }

  #drained(): void {
    if (!this.#pipe) return;
    clearTimeout(this.#stalled);
    this.#stalled = undefined;
    this.#outflow.resume();
  }

  #cut(): void {
    const pipe = this.#pipe;
    this.#leave();
    pipe?.cut();
  }

  #leave(): void {
    if (!this.#pipe) return;
    this.#close();
    this.#outflow.left();
  }

  #close(): void {
    clearInterval(this.#heartbeat);
    clearTimeout(this.#stalled);
    this.#pipe = undefined;
  }
}

function intoAnswer(answer: ResponseStream, { drained, left }: PipeEvents): Pipe {
  // The answer would make chunks of its own for each reader. HTTP/1.0 has none: there the connection's end is the end.
  const inChunks = answer.chunkedEncoding;
  answer.chunkedEncoding = false;
  answer.on("drain", drained);
  answer.on("close", left);
  answer.on("error", left);
  return {
    get waiting() {
      return answer.writableLength;
    },
    write: (bytes) => answer.write(inChunks ? chunkOf(bytes) : bytes),
    end() {
      if (inChunks) answer.write(LAST_CHUNK);
      answer.end();
    },
    cut: () => answer.destroy(),
  };
}

// RFC 9112, section 7.1.
const LAST_CHUNK: Uint8Array = encoder.encode("0\r\n\r\n");
const CRLF = encoder.encode("\r\n");
let madeLast: { readonly of: Uint8Array; readonly chunk: Uint8Array } = { of: CRLF, chunk: LAST_CHUNK };

/** Whoever reads at the end of a journal gets the same bytes as all the others there, one after the other. */
function chunkOf(bytes: Uint8Array): Uint8Array {
  if (madeLast.of !== bytes) {
    const size = encoder.encode(`${bytes.byteLength.toString(16)}\r\n`);
    madeLast = { of: bytes, chunk: Buffer.concat([size, bytes, CRLF]) };
  }
  return madeLast.chunk;
}

function intoBody({ drained, left }: PipeEvents): { pipe: Pipe; readable: ReadableStream<Uint8Array> } {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const source = {
    start(given: typeof controller) {
      controller = given;
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
    end: () => controller.close(),
    cut: () => controller.error(new Error("the reader does not read")),
  };
  return { pipe, readable };
}
