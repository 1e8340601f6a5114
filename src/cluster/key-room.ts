/** The room for new keys in a bucket that several members fill: what a member may take before it counts them again. */

/** A member's share of what is free: three replicas have up to 24 members, so all together do not take more. */
const SHARE = 32;
/** A count holds for this long. */
const COUNT_MS = 1_000;

export class KeyRoom {
  readonly #max: number;
  #allowed = 0;
  #until = Number.NEGATIVE_INFINITY;

  /** @param max the keys that there may be */
  constructor(max: number) {
    this.#max = max;
  }

  /** Takes the place of one key. @returns false if the keys must be counted before */
  take(now: number): boolean {
    if (this.#allowed === 0 || now >= this.#until) return false;
    this.#allowed--;
    return true;
  }

  /**
   * @param keys that were counted
   * @param unseen keys of ours that may have been on their way meanwhile
   * @returns false if there is no room
   */
  counted(keys: number, unseen: number, now: number): boolean {
    const free = this.#max - keys - unseen;
    this.#allowed = free > 0 ? Math.max(1, Math.floor(free / SHARE)) : 0;
    this.#until = now + COUNT_MS;
    return free > 0;
  }
}
