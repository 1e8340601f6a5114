/** Mutants of `src/sidecar/host/frame-series.ts`. */
export default {
  tests: ["test/contract/bytes"],
  mutants: [
    ["a failure hides what was sent", "if (frames === 0) return failure;", "if (frames >= 0) return failure;"],
    [
      "a body goes on over another connection",
      "this.#connection ??= outcome.connection;",
      "this.#connection = undefined;",
    ],
  ],
};
