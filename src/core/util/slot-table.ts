/**
 * Values under numbers that are drawn here, never come again, and lie side by side: a number is only drawn when its place
 * is free. What comes and goes thousands of times a second does not belong into a Map. It lays out a new table each time
 * that its deleted entries have filled the old one, and in V8 an old table points to the next: those that have grown old
 * on the heap keep everything alive that has passed through since, until the next full collection.
 */

/** A power of two, and so is every larger size: the place of a number is what its lowest bits say. */
const SMALLEST = 64;

export class SlotTable<Value extends object> {
  #values: (Value | undefined)[] = new Array(SMALLEST).fill(undefined);
  #numbers: number[] = new Array(SMALLEST).fill(0);
  #last = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** A number for `put`. It may be left unused. */
  draw(): number {
    if (this.#size * 2 >= this.#values.length) this.#grow();
    do this.#last++;
    while (this.#values[this.#place(this.#last)] !== undefined);
    return this.#last;
  }

  /** `number` must be the last that was drawn. */
  put(number: number, value: Value): void {
    const place = this.#place(number);
    this.#values[place] = value;
    this.#numbers[place] = number;
    this.#size++;
  }

  /** Gives the value and keeps it no longer; undefined when there is none under this number. */
  take(number: number): Value | undefined {
    const place = this.#place(number);
    const value = this.#numbers[place] === number ? this.#values[place] : undefined;
    if (value === undefined) return undefined;
    this.#values[place] = undefined;
    this.#size--;
    return value;
  }

  /** All of them, in no order. */
  *[Symbol.iterator](): Generator<[number, Value], void> {
    for (const [place, value] of this.#values.entries()) {
      if (value !== undefined) yield [this.#numbers[place] ?? 0, value];
    }
  }

  #place(number: number): number {
    return number & (this.#values.length - 1);
  }

  /** Numbers with different places in half the room have different ones in all of it. */
  #grow(): void {
    const all = [...this];
    const room = this.#values.length * 2;
    this.#values = new Array(room).fill(undefined);
    this.#numbers = new Array(room).fill(0);
    this.#size = 0;
    for (const [number, value] of all) this.put(number, value);
  }
}
