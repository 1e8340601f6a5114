/** Pressure on the budget as it is reported: a step when it is reached, and again once it has been left for good. */

/** How long a step must not have been reached before it is reported as left, in milliseconds. */
const CALM_MS = 1_000;

/** Takes the number of steps that are reached at a time, and finds those that are worth a report. */
export class Pressure {
  #reported = 0;
  /** The most steps that were reached within the present calm, and since when it lasts. */
  #calm: { most: number; readonly since: number } | undefined;

  /** The number of steps that were last reported as reached. */
  get reported(): number {
    return this.#reported;
  }

  /** @returns the number of steps reached from now on; undefined if there is nothing new to report */
  look(reached: number, now: number): number | undefined {
    if (reached === this.#reported) this.#calm = undefined;
    if (reached > this.#reported) return this.#report(reached);
    if (reached === this.#reported) return undefined;
    this.#calm ??= { most: reached, since: now };
    this.#calm.most = Math.max(this.#calm.most, reached);
    return now - this.#calm.since >= CALM_MS ? this.#report(this.#calm.most) : undefined;
  }

  #report(reached: number): number {
    this.#reported = reached;
    this.#calm = undefined;
    return reached;
  }
}
