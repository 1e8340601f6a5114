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
    ["what ends our own request is an answer", "if (!answer.endsRequest) this", "this"],
    ["an older connection costs the newest one", "if (this.#delivery.isNewest(connection))", "if (now >= 0)"],
  ],
};
