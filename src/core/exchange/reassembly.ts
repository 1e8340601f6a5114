/** The reassembly of replies that come in several frames. */
import type { Body } from "../../protocols/protocol.ts";
import { weightOf } from "../outcome.ts";
import type { Budget } from "../util/budget.ts";
import { TimerWheel } from "../util/timer-wheel.ts";
import { TransientMap } from "../util/transient.ts";

/** The bound on the frames of all requests together, as a multiple of `limits.reply_bytes`. */
const SHARE = 4;

/** A request with parts of a reply. */
interface Recipient {
  /** True for a subscription's stream, whose frames may be any time apart. */
  readonly subscribes: boolean;
}

interface ReassemblyBounds {
  readonly maxFrames: number;
  /** `limits.reply_bytes` */
  readonly maxBytes: number;
  /** `limits.reply_pause`, from the next frame on. */
  readonly pauseMs: number;
  readonly budget: Budget;
}

interface PartialReply {
  readonly frames: Body[];
  /** The number of frames that came, kept or passed on. */
  count: number;
  size: number;
  /** When the next frame must have come. */
  until: number;
  /** The moment for which it is filed on the wheel: `until`, or an earlier value of it. */
  filedAt: number;
}

/**
 * Keeps the frames of a reply until the last one comes; of a stream it only counts them until they are read. Bounded
 * for each request, in bytes, in the pause between two frames, and for kept frames in their number; and in bytes for
 * all requests together, timed out ones included.
 */
export class Reassembly<Key extends Recipient> {
  #bounds: ReassemblyBounds;
  readonly #replies = new TransientMap<Key, PartialReply>();
  /** A new frame does not move its reply on the wheel: only `stalled` does, once for each pause. */
  readonly #wheel = new TimerWheel<Key>();
  #size = 0;

  constructor(bounds: ReassemblyBounds) {
    this.#bounds = bounds;
  }

  reconfigure(maxBytes: number, pauseMs: number): void {
    this.#bounds = { ...this.#bounds, maxBytes, pauseMs };
  }

  /** When `stalled` must be called; undefined if no reply is incomplete. */
  get nextDeadline(): number | undefined {
    return this.#wheel.next();
  }

  /** Keeps a frame. @returns the bound that the frame would exceed; undefined if it was kept */
  add(key: Key, frame: Body, now: number): string | undefined {
    const { maxFrames } = this.#bounds;
    if (this.framesOf(key).length >= maxFrames) return `more than ${maxFrames} frames`;
    return this.#take(key, frame.length, now, frame);
  }

  /** Counts a frame that is passed on. @returns as `add` */
  passOn(key: Key, frame: Body, now: number): string | undefined {
    return this.#take(key, weightOf(frame), now);
  }

  /** Gives the next frame of a reply that has begun its time. */
  goesOn(key: Key, now: number): void {
    const reply = this.#replies.get(key);
    if (reply) reply.until = now + this.#bounds.pauseMs;
  }

  /** Makes room: the reader of a stream has taken frames of this weight. */
  taken(key: Key, weight: number): void {
    const reply = this.#replies.get(key);
    if (!reply) return;
    this.#count(reply, -weight);
  }

  #take(key: Key, size: number, now: number, kept?: Body): string | undefined {
    const { maxBytes, pauseMs, budget } = this.#bounds;
    const known = this.#replies.get(key);
    if ((known?.size ?? 0) + size > maxBytes) return `more than limits.reply_bytes (${maxBytes} bytes)`;
    if (this.#size + size > SHARE * maxBytes) {
      return `with those of other requests more than ${SHARE} times limits.reply_bytes (${maxBytes} bytes)`;
    }
    if (!budget.allows("answers", size)) return `more than there is room for (limits.memory: ${budget.limit} bytes)`;
    const reply = known ?? this.#begin(key, now + pauseMs);
    reply.until = now + pauseMs;
    reply.count++;
    this.#count(reply, size);
    if (kept !== undefined) reply.frames.push(kept);
    return undefined;
  }

  #count(reply: PartialReply, bytes: number): void {
    reply.size += bytes;
    this.#size += bytes;
    this.#bounds.budget.take("answers", bytes);
  }

  #begin(key: Key, until: number): PartialReply {
    const reply: PartialReply = { frames: [], count: 0, size: 0, until, filedAt: until };
    this.#replies.set(key, reply);
    if (!key.subscribes) this.#wheel.add(key, until);
    return reply;
  }

  framesOf(key: Key): readonly Body[] {
    return this.#replies.get(key)?.frames ?? [];
  }

  /** The number of frames that came, kept or passed on. */
  countOf(key: Key): number {
    return this.#replies.get(key)?.count ?? 0;
  }

  /** The requests whose next frame has not come within `limits.reply_pause`. Each must be forgotten then. */
  stalled(now: number): readonly Key[] {
    return this.#wheel.due(now).filter((key) => {
      const reply = this.#replies.get(key);
      if (!reply || reply.until <= now) return reply !== undefined;
      this.#file(key, reply);
      return false;
    });
  }

  /** Goes on for the same request under another key. */
  move(from: Key, to: Key): void {
    const reply = this.#replies.get(from);
    if (!reply) return;
    this.#replies.delete(from);
    this.#wheel.remove(from, reply.filedAt);
    this.#replies.set(to, reply);
    this.#file(to, reply);
  }

  #file(key: Key, reply: PartialReply): void {
    reply.filedAt = reply.until;
    this.#wheel.add(key, reply.filedAt);
  }

  forget(key: Key): void {
    const reply = this.#replies.get(key);
    if (!reply) return;
    this.#count(reply, -reply.size);
    this.#replies.delete(key);
    this.#wheel.remove(key, reply.filedAt);
  }
}
