/** A timer wheel: the deadlines of many requests on a single timer. */
import { TransientMap } from "./transient.ts";

/** Keys due within one tick share a bucket: a key is never due early, and at most one tick late. */
export const TICK_MS = 10;

/**
 * A timer for each request would cost a fifth of the request's whole way; here, adding and removing a deadline take two
 * look-ups. Time is an argument: the owner sets one timer, for `next()`.
 */
export class TimerWheel<Key> {
  readonly #buckets = new TransientMap<number, Set<Key>>();
  /** No bucket is earlier than this tick. Its own may be empty by now: then the owner wakes up once for nothing. */
  #earliest = Number.POSITIVE_INFINITY;

  /** Adds `key`, due at `at` in milliseconds of the owner's monotonic clock. */
  add(key: Key, at: number): void {
    const tick = tickOf(at);
    const bucket = this.#buckets.get(tick);
    if (bucket) bucket.add(key);
    else this.#buckets.set(tick, new Set([key]));
    if (tick < this.#earliest) this.#earliest = tick;
  }

  /** Removes `key`; `at` must be the value that it was added with. */
  remove(key: Key, at: number): void {
    const tick = tickOf(at);
    const bucket = this.#buckets.get(tick);
    if (bucket?.delete(key) && bucket.size === 0) this.#buckets.delete(tick);
  }

  /** Removes and returns all keys that are due, the earliest first. */
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

  /** When to call `due` next: no later than the end of the earliest key's tick. Undefined while the wheel is empty. */
  next(): number | undefined {
    if (this.#buckets.size === 0) {
      this.#earliest = Number.POSITIVE_INFINITY;
      return undefined;
    }
    return this.#earliest * TICK_MS;
  }
}

function tickOf(at: number): number {
  return Math.ceil(at / TICK_MS);
}
