/** A table of values under numbers that it draws itself and never repeats, for entries that are very short-lived. */

/** The initial number of slots. A power of two, as every later size: the lowest bits of a number are its slot. */
const INITIAL_SLOTS = 64;

/**
 * Replaces a Map where thousands of entries come and go per second. A Map lays out a new table whenever deleted entries
 * have filled the old one, and in V8 an old table points to the next: tables promoted to the old generation keep alive
 * everything that has passed through since, until the next full collection. Here, a number is drawn only if its slot is
 * free, so slots are reused in place.
 */
export class SlotTable<Value extends object> {
  #values: (Value | undefined)[] = new Array(INITIAL_SLOTS).fill(undefined);
  #numbers: number[] = new Array(INITIAL_SLOTS).fill(0);
  #last = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Returns a number for `put`. It may remain unused. */
  draw(): number {
    if (this.#size * 2 >= this.#values.length) this.#grow();
    do this.#last++;
    while (this.#values[this.#slot(this.#last)] !== undefined);
    return this.#last;
  }

  /** `number` must be the one drawn last. */
  put(number: number, value: Value): void {
    const slot = this.#slot(number);
    this.#values[slot] = value;
    this.#numbers[slot] = number;
    this.#size++;
  }

  /** Removes and returns the value; undefined if the number has none. */
  take(number: number): Value | undefined {
    const slot = this.#slot(number);
    const value = this.#numbers[slot] === number ? this.#values[slot] : undefined;
    if (value === undefined) return undefined;
    this.#values[slot] = undefined;
    this.#size--;
    return value;
  }

  /** Iterates over all entries, in no particular order. */
  *[Symbol.iterator](): Generator<[number, Value], void> {
    for (const [slot, value] of this.#values.entries()) {
      if (value !== undefined) yield [this.#numbers[slot] ?? 0, value];
    }
  }

  #slot(number: number): number {
    return number & (this.#values.length - 1);
  }

  /** Doubles the slots. Numbers with distinct slots in the smaller table keep distinct slots in the larger one. */
  #grow(): void {
    const all = [...this];
    const slots = this.#values.length * 2;
    this.#values = new Array(slots).fill(undefined);
    this.#numbers = new Array(slots).fill(0);
    this.#size = 0;
    for (const [number, value] of all) this.put(number, value);
  }
}
