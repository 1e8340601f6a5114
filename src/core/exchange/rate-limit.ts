/** The rate limit of outgoing messages: no stretch of `per` plus `jitter` milliseconds has more than `messages`. */

/**
 * Remembers when the last messages went out, because a bucket that refills would let twice as many through in such a
 * stretch: all that it holds, and all that flows in meanwhile. The receiver counts arrivals: a message that is delayed
 * on its way by up to `jitter` more than a later one is still within its limit. Time is an argument.
 */
export class RateLimit {
  readonly #per: number;
  /** When the last messages went out, as a ring: the oldest is in the place of the next one. */
  readonly #sent: number[];
  #next = 0;

  constructor({ messages, per, jitter }: Readonly<Record<"messages" | "per" | "jitter", number>>) {
    this.#per = per + jitter;
    this.#sent = new Array(messages).fill(Number.NEGATIVE_INFINITY);
  }

  /** When the last messages went out, the oldest first. */
  get sent(): readonly number[] {
    return [...this.#sent.slice(this.#next), ...this.#sent.slice(0, this.#next)];
  }

  /** When the `ahead`-th message from now, counted from 0, may go out if every message before it goes at once. */
  at(ahead: number, now: number): number {
    const { length } = this.#sent;
    const before = this.#sent[(this.#next + ahead) % length] ?? now;
    return Math.max(now, before + this.#per) + this.#per * Math.floor(ahead / length);
  }

  /** Records that a message goes out now. */
  take(now: number): void {
    this.#sent[this.#next] = now;
    this.#next = (this.#next + 1) % this.#sent.length;
  }
}
