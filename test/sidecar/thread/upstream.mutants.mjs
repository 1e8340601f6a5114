/** Mutants of `src/sidecar/thread/upstream.ts`. */
export default {
  tests: ["test/contract/exit"],
  mutants: [
    [
      "the drain ends before the replies arrive",
      "if (!this.#draining || this.#exchange.onTheWire > 0) return;",
      "if (!this.#draining) return;",
    ],
  ],
};
