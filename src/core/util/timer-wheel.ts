/**
 * Deadlines of many requests on one timer. A timer for each costs a fifth of a request's whole way; here filing and
 * removing a deadline are two look-ups. Time is an argument: whoever owns the wheel arms one timer for `next()`.
 */

/** Keys that come due within one tick share a bucket: nothing is ever due early, and at most this much late. */
export const TICK_MS = 10;

export class TimerWheel<Key> {
  readonly #buckets = new Map<number, Set<Key>>();
  /** No bucket comes before this tick. It may be empty by now: then the owner wakes up once for nothing. */
  #earliest = Number.POSITIVE_INFINITY;

  /** Files `key` for the moment `at`, in milliseconds of the owner's monotonic clock. */
  add(key: Key, at: number): void {
    const tick = Math.ceil(at / TICK_MS);
    const bucket = this.#buckets.get(tick);
    if (bucket) bucket.add(key);
    else this.#buckets.set(tick, new Set([key]));
    if (tick < this.#earliest) this.#earliest = tick;
  }

  /** Takes `key` back; `at` must be the moment that it was filed for. */
  remove(key: Key, at: number): void {
    const tick = Math.ceil(at / TICK_MS);
    const bucket = this.#buckets.get(tick);
    if (bucket?.delete(key) && bucket.size === 0) this.#buckets.delete(tick);
  }

  /** Takes out and gives all keys that are due, the earliest first. */
  due(now: number): Key[] {
    if (this.#earliest * TICK_MS > now) return [];
    const ticks = [...this.#buckets.keys()].sort((a, b) => a - b);
    const keys: Key[] = [];
    this.#earliest = Number.POSITIVE_INFINITY;
    for (const tick of ticks) {
      if (tick * TICK_MS > now) {
        this.#earliest = tick;
        break;
      }
      keys.push(...(this.#buckets.get(tick) ?? []));
      this.#buckets.delete(tick);
    }
    return keys;
  }

  /** When to call `due` next: never after the next key is due. Undefined when none is filed. */
  next(): number | undefined {
    if (this.#buckets.size === 0) {
      this.#earliest = Number.POSITIVE_INFINITY;
      return undefined;
    }
    return this.#earliest * TICK_MS;
  }
}
