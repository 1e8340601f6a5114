/** Mutants of `src/core/exchange/batch.ts`. */
export default {
  tests: ["test/core/exchange/exchange", "test/core/exchange/lane"],
  deno: true,
  mutants: [
    [
      "a batch comes back in reverse",
      "batch.items[index] = outcome",
      "batch.items[batch.items.length - 1 - index] = outcome",
    ],
    ["a batch ends with its first item", "if (--batch.left > 0) return undefined;", ""],
  ],
};
