/** Mutants of `src/core/exchange/upstream-answers.ts`. */
export default {
  tests: ["test/core/exchange/exchange-frames"],
  deno: true,
  mutants: [
    [
      "answers to an upstream that does not read pile up",
      "buffered + sizeOf(frame) > this.#bufferedMax",
      "buffered < 0",
    ],
    ["an older connection costs the newest one", "if (this.#delivery.isNewest(connection))", "if (now >= 0)"],
  ],
};
