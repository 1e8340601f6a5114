/** The lag of an event loop: how late its timers run. */

const SAMPLE_MS = 250;

/** Measures the loop of the thread that creates it, four times a second, and keeps no program alive. */
export class EventLoopLag {
  readonly #timer: NodeJS.Timeout;
  #due: number;

  /** @param take called with each measured lag, in milliseconds */
  constructor(now: () => number, take: (lagMs: number) => void) {
    this.#due = now() + SAMPLE_MS;
    this.#timer = setInterval(() => {
      const at = now();
      take(Math.max(0, at - this.#due));
      // Not from when it was due: after a block, the timers that were missed do not run, and prove nothing.
      this.#due = at + SAMPLE_MS;
    }, SAMPLE_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
