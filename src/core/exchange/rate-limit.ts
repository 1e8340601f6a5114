/**
 * The pace of outgoing messages: in no stretch of `per` milliseconds do more than `messages` go out. It remembers when the
 * last ones went, because a bucket that refills would let twice as many through in such a stretch: all that it holds, and
 * all that flows in meanwhile. Time is an argument.
 */
export class RateLimit {
  readonly #per: number;
  /** When the last messages went out, in a ring: the oldest stands where the next one will. */
  readonly #sent: number[];
  #next = 0;

  constructor({ messages, per }: { readonly messages: number; readonly per: number }) {
    this.#per = per;
    this.#sent = new Array(messages).fill(Number.NEGATIVE_INFINITY);
  }

  /** When the `ahead`-th message from now, counted from 0, may go out while the pace is used to the full: now, or later. */
  at(ahead: number, now: number): number {
    const { length } = this.#sent;
    const before = this.#sent[(this.#next + ahead) % length] ?? now;
    return Math.max(now, before + this.#per) + this.#per * Math.floor(ahead / length);
  }

  /** One goes out. */
  take(now: number): void {
    this.#sent[this.#next] = now;
    this.#next = (this.#next + 1) % this.#sent.length;
  }
}
