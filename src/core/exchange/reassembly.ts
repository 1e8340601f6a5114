import type { Body } from "../../protocols/protocol.ts";
import { weightOf } from "../outcome.ts";
import type { Entry } from "./request-table.ts";

/** All requests together may have this many times `limits.reply_bytes` gathered for them. */
const SHARE = 4;

interface PartialReply {
  readonly frames: Body[];
  size: number;
}

/**
 * The frames of replies that come in several: kept until the last one is there, or of a stream counted until they are
 * read. Bounded for each request, in bytes and where they are kept in frames, and for all of them together.
 */
export class Reassembly {
  readonly #maxFrames: number;
  readonly #maxBytes: number;
  readonly #replies = new Map<Entry, PartialReply>();
  #size = 0;

  constructor(maxFrames: number, maxBytes: number) {
    this.#maxFrames = maxFrames;
    this.#maxBytes = maxBytes;
  }

  /** Keeps a frame. @returns which bound it would have passed; undefined when it was kept. */
  add(entry: Entry, frame: Body): string | undefined {
    const reply = this.#replies.get(entry) ?? { frames: [], size: 0 };
    if (reply.frames.length >= this.#maxFrames) return `more than ${this.#maxFrames} frames`;
    const over = this.#count(entry, reply, frame.length);
    if (over === undefined) reply.frames.push(frame);
    return over;
  }

  /** Counts a frame that is handed on. @returns as `add` */
  handOn(entry: Entry, frame: Body): string | undefined {
    return this.#count(entry, this.#replies.get(entry) ?? { frames: [], size: 0 }, weightOf(frame));
  }

  /** The reader of a stream has taken frames of so much weight. */
  taken(entry: Entry, weight: number): void {
    const reply = this.#replies.get(entry);
    if (!reply) return;
    reply.size -= weight;
    this.#size -= weight;
  }

  #count(entry: Entry, reply: PartialReply, size: number): string | undefined {
    if (reply.size + size > this.#maxBytes) return `more than limits.reply_bytes (${this.#maxBytes} bytes)`;
    if (this.#size + size > SHARE * this.#maxBytes) {
      return `with those of other requests more than ${SHARE} times limits.reply_bytes (${this.#maxBytes} bytes)`;
    }
    reply.size += size;
    this.#size += size;
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
