/** The messages that came while a subscription's request was in flight: they may turn out to belong to it. */

import type { FrameText } from "../../protocols/condition.ts";

/** Bounds of each room. */
const COUNT_MAX = 1_000;
const CHARACTERS_MAX = 1024 * 1024;

/** Bounds the messages of one kind. */
class Room {
  #count = 0;
  #characters = 0;
  overflowed = false;

  takes({ text = "" }: FrameText): boolean {
    this.overflowed ||= this.#count >= COUNT_MAX || this.#characters >= CHARACTERS_MAX;
    if (this.overflowed) return false;
    this.#count++;
    this.#characters += text.length;
    return true;
  }
}

/**
 * Messages that active subscriptions claimed have a room of their own, so that they do not fill that of the others.
 * They are kept because an upstream may treat two subscriptions as one.
 */
export class EarlyMessages {
  /** In order of arrival. */
  readonly list: FrameText[] = [];
  readonly #claimed = new Room();
  readonly #unclaimed = new Room();

  add(frame: FrameText, claimed: boolean): void {
    const room = claimed ? this.#claimed : this.#unclaimed;
    if (room.takes(frame)) this.list.push(frame);
  }

  /** True if messages are missing. `shared`: the upstream treats the subscription and an active one as one. */
  misses(shared: boolean): boolean {
    return this.#unclaimed.overflowed || (shared && this.#claimed.overflowed);
  }
}
