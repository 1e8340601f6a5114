/** Counts by names that a peer chooses, so that their number must be bounded. */

/** The most names; whatever comes after them is counted under {@link OTHER}. */
export const NAMES_MAX = 32;
export const OTHER = "other";

export class BoundedCounts {
  readonly #counts = new Map<string, number>();

  add(name: string): void {
    const known = this.#counts.has(name) || this.#counts.size < NAMES_MAX ? name : OTHER;
    this.#counts.set(known, (this.#counts.get(known) ?? 0) + 1);
  }

  /** A copy of the counts by name. */
  get all(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }
}
