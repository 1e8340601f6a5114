/** The outcomes of a batch, collected in the order of its items until all of them have ended. */
import type { Failed, Outcome, Replied } from "../outcome.ts";

export class OpenBatch {
  readonly #items: (Replied | Failed | undefined)[];
  #left: number;

  /** @param items how many messages the batch has, at least one */
  constructor(items: number) {
    this.#items = new Array(items).fill(undefined);
    this.#left = items;
  }

  /** @returns the outcome of the whole batch with its last item, undefined before */
  settle(index: number, outcome: Outcome): Outcome | undefined {
    if (outcome.type === "reply" || outcome.type === "failed") this.#items[index] = outcome;
    if (--this.#left > 0) return undefined;
    const items = this.#items.filter((item) => item !== undefined);
    return items.length === 0 ? { type: "done" } : { type: "batch", items, done: this.#items.length - items.length };
  }
}
