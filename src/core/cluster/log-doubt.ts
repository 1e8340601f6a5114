/** The doubt about a log of which a server has less than was read here or elsewhere: lost, or not known to it yet. */

/** A server that was just elected, or stopped, knows its end late: an election takes up to 9 s, and others catch up. */
const DOUBT_MS = 15_000;
/** The most that one answer counts for: what is longer since the try before was a pause of ours. */
const ANSWER_MS = 2_000;

/** Only the time in which servers answer counts: while nobody does, the end of the log is not learned either. */
export class LogDoubt {
  #triedAt: number | undefined;
  #answeredMs = 0;

  get isOpen(): boolean {
    return this.#triedAt !== undefined;
  }

  /** A server has less than was read. @returns true once that has lasted, so that the rest is lost */
  lasts(now: number): boolean {
    this.#answeredMs += Math.min(now - (this.#triedAt ?? now), ANSWER_MS);
    this.#triedAt = now;
    return this.#answeredMs >= DOUBT_MS;
  }

  /** Nobody has answered. */
  failed(now: number): void {
    if (this.isOpen) this.#triedAt = now;
  }

  end(): void {
    this.#triedAt = undefined;
    this.#answeredMs = 0;
  }
}
