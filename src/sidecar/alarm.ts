/**
 * The one timer of many deadlines. It is never set later than asked, but may ring for nothing when what it was set for
 * has gone: setting it anew for each request that ends would cost more than that.
 */
export class Alarm {
  readonly #now: () => number;
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;
  #at = Number.POSITIVE_INFINITY;

  constructor(now: () => number, ring: () => void) {
    this.#now = now;
    this.#ring = ring;
  }

  /** Rings at `at` or before, in milliseconds of the clock. With undefined nothing more is needed. */
  set(at: number | undefined): void {
    if (at === undefined || at >= this.#at) return;
    clearTimeout(this.#timer);
    this.#at = at;
    this.#timer = setTimeout(
      () => {
        this.clear();
        this.#ring();
      },
      Math.max(0, Math.ceil(at - this.#now())),
    );
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#at = Number.POSITIVE_INFINITY;
  }
}
