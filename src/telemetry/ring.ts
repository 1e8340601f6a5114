/** Ring that keeps the newest of what is added to it. */

export class Ring<Item> {
  readonly #max: number;
  #items: Item[] = [];

  /** @param max the number of items that are kept */
  constructor(max: number) {
    this.#max = max;
  }

  add(item: Item): void {
    if (this.#items.length === this.#max) this.#items.shift();
    this.#items.push(item);
  }

  /** The kept items, oldest first. */
  get items(): readonly Item[] {
    return this.#items;
  }
}
