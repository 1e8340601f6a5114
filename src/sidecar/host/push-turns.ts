/** The turns in which this replica pushes the messages of a shared upstream: those in which it owns it. */

import type { Cursor, Start } from "../../core/messages/journal.ts";
import type { CommandOf, FromThread } from "../contract.ts";

/** One that pushes messages, such as a webhook. */
export interface Pusher {
  /** The place before the first message that its receiver may not have. */
  readonly place: Start;
  /** Pushes from here on, from a place if there is one already. */
  push(from: Cursor | undefined): void;
  /**
   * Begins no push any more, and resolves once none is under way.
   *
   * @param why set if the cluster is to blame, and no other replica pushes
   */
  rest(why: string | undefined): Promise<void>;
  /** Ends, also a push that is under way. */
  stop(): void;
}

/** A takeover repeats what is not kept: less than this, and the pushes that are under way. */
const UNKEPT_MAX = 1_000;

/** Keeps the places of the pushers in the cluster, so that the next owner goes on from there. */
export class PushTurns {
  readonly #upstream: string;
  readonly #post: (message: CommandOf<"pushed" | "rested">) => void;
  #ids: ReadonlyMap<Pusher, string> = new Map();
  /** The places in the present turn; undefined if there is none. */
  #places: Map<string, Cursor> | undefined;
  #lastSeq = 0;
  /** By their numbers, how many messages came with each place that is not kept yet. */
  readonly #unkept = new Map<number, number>();
  #waiting: (() => void)[] = [];

  constructor(upstream: string, post: (message: CommandOf<"pushed" | "rested">) => void) {
    this.#upstream = upstream;
    this.#post = post;
  }

  /** Follows these pushers from here on, by their ids. Those that are not among them must have been stopped. */
  follow(pushers: ReadonlyMap<string, Pusher>): void {
    const before = this.#ids;
    this.#ids = new Map([...pushers].map(([id, pusher]) => [pusher, id]));
    for (const [pusher, id] of this.#ids) {
      const known = before.get(pusher);
      if (known === undefined && this.#places) pusher.push(this.#places.get(id));
      // One whose id has changed is where it was.
      else if (known !== undefined && known !== id && typeof pusher.place !== "string")
        this.pushed(pusher, pusher.place, 0);
    }
  }

  /**
   * Keeps a place.
   *
   * @param count the messages that were pushed since the one before
   * @returns a promise if so many are not kept that nothing must be pushed until it resolves
   */
  pushed(pusher: Pusher, place: Cursor, count: number): Promise<void> | undefined {
    const webhook = this.#ids.get(pusher);
    if (webhook === undefined) return undefined;
    const seq = ++this.#lastSeq;
    this.#post({ type: "pushed", upstream: this.#upstream, seq, webhook, place });
    if (!this.#places) return undefined;
    this.#places.set(webhook, place);
    this.#unkept.set(seq, count);
    return this.#isFull ? new Promise((resolve) => this.#waiting.push(resolve)) : undefined;
  }

  receive({ places, turn, why }: Extract<FromThread, { type: "pushing" }>): void {
    if (places) {
      this.#places = new Map(Object.entries(places));
      for (const [pusher, id] of this.#ids) pusher.push(this.#places.get(id));
      return;
    }
    void this.#rest(why).then(() => this.#post({ type: "rested", upstream: this.#upstream, turn }));
  }

  kept(through: number): void {
    for (const seq of this.#unkept.keys()) if (seq <= through) this.#unkept.delete(seq);
    if (!this.#isFull) this.#goOn();
  }

  /** Nothing is pushed any more: the service or its upstream ends. */
  stop(): void {
    for (const pusher of this.#ids.keys()) pusher.stop();
    this.#goOn();
  }

  /** The thread has died, and what it owned. */
  crashed(): void {
    void this.#rest(undefined);
  }

  async #rest(why: string | undefined): Promise<void> {
    this.#places = undefined;
    this.#unkept.clear();
    const rests = [...this.#ids.keys()].map((pusher) => pusher.rest(why));
    this.#goOn();
    await Promise.all(rests);
  }

  #goOn(): void {
    for (const goOn of this.#waiting.splice(0)) goOn();
  }

  get #isFull(): boolean {
    let sum = 0;
    for (const count of this.#unkept.values()) sum += count;
    return sum >= UNKEPT_MAX;
  }
}
