import type { Body } from "../protocols/protocol.ts";
import type { Entry } from "./pending.ts";

/** All requests together may have this many times `limits.reply_bytes` gathered for them. */
const SHARE = 4;

interface Reply {
  readonly frames: Body[];
  size: number;
}

/**
 * The frames of replies that come in several, until the last one is there. Bounded for each request, in frames and in
 * bytes, and for all of them together. Whoever hands frames on as they come, instead of gathering them, begins here.
 */
export class Gathered {
  readonly #maxFrames: number;
  readonly #maxBytes: number;
  readonly #replies = new Map<Entry, Reply>();
  #size = 0;

  constructor(maxFrames: number, maxBytes: number) {
    this.#maxFrames = maxFrames;
    this.#maxBytes = maxBytes;
  }

  /** Keeps a frame. @returns which bound it would have passed; undefined when it was kept. */
  add(entry: Entry, frame: Body): string | undefined {
    const reply = this.#replies.get(entry) ?? { frames: [], size: 0 };
    if (reply.frames.length >= this.#maxFrames) return `more than ${this.#maxFrames} frames`;
    if (reply.size + frame.length > this.#maxBytes) return `more than limits.reply_bytes (${this.#maxBytes} bytes)`;
    if (this.#size + frame.length > SHARE * this.#maxBytes) {
      return `with those of other requests more than ${SHARE} times limits.reply_bytes (${this.#maxBytes} bytes)`;
    }
    reply.frames.push(frame);
    reply.size += frame.length;
    this.#size += frame.length;
    this.#replies.set(entry, reply);
    return undefined;
  }

  of(entry: Entry): readonly Body[] {
    return this.#replies.get(entry)?.frames ?? [];
  }

  forget(entry: Entry): void {
    const reply = this.#replies.get(entry);
    if (!reply) return;
    this.#size -= reply.size;
    this.#replies.delete(entry);
  }
}
