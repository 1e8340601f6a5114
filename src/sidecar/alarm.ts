/** A single timer for many deadlines. */

import { PatientTimer } from "./patient-timer.ts";

/**
 * Rings at the earliest deadline set. It may ring although nothing is due: if a deadline is no longer needed, the timer
 * stays, because resetting it for each request that ends would cost more than an occasional needless ring.
 */
export class Alarm {
  readonly #now: () => number;
  readonly #onRing: () => void;
  #timer: PatientTimer | undefined;
  #at = Number.POSITIVE_INFINITY;

  constructor(now: () => number, onRing: () => void) {
    this.#now = now;
    this.#onRing = onRing;
  }

  /** Rings at `at`, in milliseconds of the clock, or before; undefined adds no deadline. */
  set(at: number | undefined): void {
    if (at === undefined || at >= this.#at) return;
    this.#timer?.clear();
    this.#at = at;
    const ring = () => {
      this.clear();
      this.#onRing();
    };
    this.#timer = new PatientTimer(ring, Math.max(0, Math.ceil(at - this.#now())));
  }

  /** Lets the program end before it rings. */
  unref(): void {
    this.#timer?.unref();
  }

  /** Holds the program until it has rung, after `unref`. */
  ref(): void {
    this.#timer?.ref();
  }

  clear(): void {
    this.#timer?.clear();
    this.#timer = undefined;
    this.#at = Number.POSITIVE_INFINITY;
  }
}
