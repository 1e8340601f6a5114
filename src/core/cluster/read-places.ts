/** The reads of logs that may be on their way over one connection. */

/**
 * The most reads beside one of each log. Entries have up to 240 KiB, and a message server closes the connection of a
 * member for which more than 64 MiB wait: with that its beats, and all that it owns, would go.
 */
const PLACES = 32;

export class ReadPlaces {
  #free = PLACES;

  /** @returns how many of the wanted places are taken from here on */
  take(wanted: number): number {
    const taken = Math.min(wanted, this.#free);
    this.#free -= taken;
    return taken;
  }

  give(taken: number): void {
    this.#free += taken;
  }
}
