/** Mutants of `src/core/exchange/batch.ts`. */
export default {
  tests: ["test/core/exchange/exchange", "test/core/exchange/lane"],
  deno: true,
  mutants: [
    [
      "a batch comes back in reverse",
      "this.#items[index] = outcome",
      "this.#items[this.#items.length - 1 - index] = outcome",
    ],
    [
      "a batch ends with its first item",
      "if (--this.#left > 0) return undefined;",
      "if (--this.#left < 0) return undefined;",
    ],
  ],
};
