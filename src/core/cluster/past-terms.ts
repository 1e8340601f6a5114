/** The terms of an upstream that a member has heard of: their addresses, and who has given them up. */

/** The most terms, and the most releases, that are remembered. */
const TERMS_MAX = 256;

/** An owner has given its term up by itself, as this member heard at that time of its clock. */
export interface Release {
  readonly member: string;
  readonly at: number;
}

export class PastTerms {
  /** Both with the oldest first. */
  readonly #addresses = new Map<number, string>();
  readonly #releases = new Map<string, Release>();

  heard(term: number, address: string): void {
    keep(this.#addresses, term, address);
  }

  /** Beats say it again for a while: the first time counts. */
  released(address: string, release: Release): void {
    keep(this.#releases, address, release);
  }

  /** @returns undefined if the owner of the term has not given it up, or nobody heard of that */
  releaseOf(term: number): Release | undefined {
    const address = this.#addresses.get(term);
    return address === undefined ? undefined : this.#releases.get(address);
  }
}

/** Keeps what is new, and forgets the oldest beyond the most. */
function keep<Key, Value>(map: Map<Key, Value>, key: Key, value: Value): void {
  if (map.has(key)) return;
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= TERMS_MAX) return;
    map.delete(oldest);
  }
}
