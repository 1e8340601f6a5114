/** The shares of callers in something of which there is a limited amount. */

/**
 * Without a quota, a caller may hold as much as it leaves free: one alone gets half, two a third each, and so on. So
 * whoever comes finds room, nobody has to be known beforehand, and what nobody else wants is not lost to a table of
 * fixed parts. A caller that need not share may hold everything.
 */
export class Shares {
  #capacity: number;
  #quota: number | undefined;
  #shared: boolean;
  readonly #held = new Map<string, number>();
  #total = 0;

  /**
   * @param quota  the most that one caller may hold, instead of its fair share
   * @param shared false if all callers are one
   */
  constructor(capacity: number, quota: number | undefined, shared: boolean) {
    this.#capacity = capacity;
    this.#quota = quota;
    this.#shared = shared;
  }

  /** Shares by other rules from here on; nothing that is held is taken away. */
  reconfigure(capacity: number, quota: number | undefined, shared: boolean): void {
    this.#capacity = capacity;
    this.#quota = quota;
    this.#shared = shared;
  }

  get total(): number {
    return this.#total;
  }

  heldBy(caller: string): number {
    return this.#held.get(caller) ?? 0;
  }

  /** True if the caller may hold so much more. What is its first always has room if there is any. */
  admits(caller: string, amount = 1): boolean {
    const free = this.#capacity - this.#total;
    const held = this.heldBy(caller);
    if (this.#quota !== undefined && held + amount > this.#quota) return false;
    if (amount > free) return false;
    return !this.#shared || this.#quota !== undefined || isFair(held, free);
  }

  take(caller: string, amount = 1): void {
    this.#total += amount;
    this.#held.set(caller, this.heldBy(caller) + amount);
  }

  give(caller: string, amount = 1): void {
    const left = this.heldBy(caller) - amount;
    this.#total -= amount;
    if (left > 0) this.#held.set(caller, left);
    else this.#held.delete(caller);
  }
}

/** True if one that holds so many places may take another one of those that are free. */
export function isFair(held: number, free: number): boolean {
  return held <= free;
}
