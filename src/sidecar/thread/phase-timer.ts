/** What takes the event loop to look at everything that has arrived, with much of it, in milliseconds. */
const LOOK_MS = 50;

/** The one timer of a phase. */
export class PhaseTimer {
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /**
   * In place of what was set before; undefined: nothing. `blames`: it blames the peer for its silence. In a process that
   * was suspended or blocked, time is over before what the peer said in time has been looked at: so that comes first, and
   * may set the timer anew.
   */
  set(ms: number | undefined, blames = false): void {
    clearTimeout(this.#timer);
    this.#timer = ms === undefined ? undefined : setTimeout(blames ? () => this.set(LOOK_MS) : this.#ring, ms);
  }
}
