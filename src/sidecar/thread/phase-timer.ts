/** The timer of a connection's phase. */

import { CATCH_UP_MS } from "../patient-timer.ts";

export class PhaseTimer {
  readonly #onRing: () => void;
  readonly #isHeld: () => boolean;
  #timer: NodeJS.Timeout | undefined;

  /** @param isHeld true while the peer may have sent what was not read yet: then nothing rings */
  constructor(onRing: () => void, isHeld: () => boolean = () => false) {
    this.#onRing = onRing;
    this.#isHeld = isHeld;
  }

  /**
   * Replaces the time that was set before, or clears it if `ms` is undefined.
   * @param blames true if ringing blames the peer for its silence. In a process that was suspended or blocked, the
   *   timer fires before the frames that arrived in time are handled, so they are handled first, and may reset it.
   */
  set(ms: number | undefined, blames = false): void {
    clearTimeout(this.#timer);
    this.#timer = ms === undefined ? undefined : setTimeout(() => this.#onDue(blames), ms);
  }

  #onDue(blames: boolean): void {
    const isHeld = this.#isHeld();
    if (blames || isHeld) this.set(CATCH_UP_MS, isHeld);
    else this.#onRing();
  }
}
