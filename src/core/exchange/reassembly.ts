/** The reassembly of replies that come in several frames. */
import type { Body } from "../../protocols/protocol.ts";
import { weightOf } from "../outcome.ts";
import type { Entry } from "./request-table.ts";

/** The bound on the frames of all requests together, as a multiple of `limits.reply_bytes`. */
const SHARE = 4;

interface PartialReply {
  readonly frames: Body[];
  size: number;
}

/**
 * Keeps the frames of a reply until the last one comes; of a stream it only counts them until they are read. Bounded
 * for each request, in bytes and for kept frames in their number, and in bytes for all requests together.
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

  /** Keeps a frame. @returns the bound that the frame would exceed; undefined if it was kept */
  add(entry: Entry, frame: Body): string | undefined {
    const reply = this.#replies.get(entry) ?? { frames: [], size: 0 };
    if (reply.frames.length >= this.#maxFrames) return `more than ${this.#maxFrames} frames`;
    const exceeded = this.#count(entry, reply, frame.length);
    if (exceeded === undefined) reply.frames.push(frame);
    return exceeded;
  }

  /** Counts a frame that is passed on. @returns as `add` */
  passOn(entry: Entry, frame: Body): string | undefined {
    return this.#count(entry, this.#replies.get(entry) ?? { frames: [], size: 0 }, weightOf(frame));
  }

  /** Makes room: the reader of a stream has taken frames of this weight. */
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

  framesOf(entry: Entry): readonly Body[] {
    return this.#replies.get(entry)?.frames ?? [];
  }

  forget(entry: Entry): void {
    const reply = this.#replies.get(entry);
    if (!reply) return;
    this.#size -= reply.size;
    this.#replies.delete(entry);
  }
}
