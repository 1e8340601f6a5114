/** Timers that end a wait for others: what these have sent in time counts, though it was not read yet. */

/** The time in which an event loop handles everything that has arrived, even under load, in milliseconds. */
export const CATCH_UP_MS = 50;

/**
 * Rings after `ms`. In a process that was stopped, or a thread that was busy, timers fire before what has arrived
 * meanwhile is read: then it rings {@link CATCH_UP_MS} later, unless it is cleared by what is read.
 */
export class PatientTimer {
  readonly #ring: () => void;
  #timer: NodeJS.Timeout;

  constructor(ring: () => void, ms: number) {
    this.#ring = ring;
    const due = performance.now() + ms;
    this.#timer = setTimeout(() => {
      if (performance.now() - due <= CATCH_UP_MS) this.#ring();
      else this.#catchUp();
    }, ms);
  }

  #catchUp(): void {
    const isHolding = this.#timer.hasRef();
    this.#timer = setTimeout(this.#ring, CATCH_UP_MS);
    if (!isHolding) this.#timer.unref();
  }

  clear(): void {
    clearTimeout(this.#timer);
  }

  /** Lets the program end before it rings. */
  unref(): void {
    this.#timer.unref();
  }

  /** Holds the program until it has rung, after `unref`. */
  ref(): void {
    this.#timer.ref();
  }
}
