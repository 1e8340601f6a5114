/** The timer of a connection's phase. */

/** The time in which the event loop handles everything that has arrived, even under load, in milliseconds. */
const CATCH_UP_MS = 50;

export class PhaseTimer {
  readonly #onRing: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(onRing: () => void) {
    this.#onRing = onRing;
  }

  /**
   * Replaces the time that was set before, or clears it if `ms` is undefined.
   * @param blames true if ringing blames the peer for its silence. In a process that was suspended or blocked, the
   *   timer fires before the frames that arrived in time are handled, so they are handled first, and may reset it.
   */
  set(ms: number | undefined, blames = false): void {
    clearTimeout(this.#timer);
    this.#timer = ms === undefined ? undefined : setTimeout(blames ? () => this.set(CATCH_UP_MS) : this.#onRing, ms);
  }
}
