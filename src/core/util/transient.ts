/**
 * Maps and sets of what comes and goes by the thousand, such as requests in flight, under keys of others.
 *
 * All that has passed through a `Map` may stay in memory until the next full collection (slot-table.ts has the reason).
 * One that is begun anew now and then leaves that behind: with 64 entries at a time, an entry costs a third of the CPU
 * then, on Node 20 as on Deno 2.9.
 */

/** Entries that are added before the map is begun anew, at least. */
const ADDED_AT_LEAST = 1_024;
/** The same for each entry that is there to be copied. */
const ADDED_PER_ENTRY = 4;

/** As `Map`, but that nothing may be added while it is iterated. */
export class TransientMap<Key, Value> {
  #map = new Map<Key, Value>();
  #room = ADDED_AT_LEAST;

  get size(): number {
    return this.#map.size;
  }

  get(key: Key): Value | undefined {
    return this.#map.get(key);
  }

  has(key: Key): boolean {
    return this.#map.has(key);
  }

  set(key: Key, value: Value): void {
    if (--this.#room < 0) {
      this.#map = new Map(this.#map);
      this.#room = roomOf(this.#map.size);
    }
    this.#map.set(key, value);
  }

  delete(key: Key): boolean {
    return this.#map.delete(key);
  }

  clear(): void {
    this.#map = new Map();
  }

  keys(): IterableIterator<Key> {
    return this.#map.keys();
  }

  values(): IterableIterator<Value> {
    return this.#map.values();
  }

  [Symbol.iterator](): IterableIterator<[Key, Value]> {
    return this.#map.entries();
  }
}

/** The part of a set that others than its owner may know. */
export interface SizedIterable<Value> extends Iterable<Value> {
  readonly size: number;
}

/** As `Set`, but that nothing may be added while it is iterated. */
export class TransientSet<Value> {
  #set = new Set<Value>();
  #room = ADDED_AT_LEAST;

  get size(): number {
    return this.#set.size;
  }

  has(value: Value): boolean {
    return this.#set.has(value);
  }

  add(value: Value): void {
    if (--this.#room < 0) {
      this.#set = new Set(this.#set);
      this.#room = roomOf(this.#set.size);
    }
    this.#set.add(value);
  }

  delete(value: Value): boolean {
    return this.#set.delete(value);
  }

  [Symbol.iterator](): IterableIterator<Value> {
    return this.#set.values();
  }
}

function roomOf(size: number): number {
  return Math.max(ADDED_AT_LEAST, ADDED_PER_ENTRY * size);
}
