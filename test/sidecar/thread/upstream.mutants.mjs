/** Mutants of `src/sidecar/thread/upstream.ts`. */
export default {
  tests: ["test/contract/exit"],
  mutants: [
    [
      "the drain ends before the replies arrive",
      "if (!this.#draining || this.#exchange.owesCallers || this.#router.owesAgreement) return;",
      "if (!this.#draining || this.#router.owesAgreement) return;",
    ],
    [
      "the drain waits for what no caller waits for",
      "this.#exchange.owesCallers || this.#router.owesAgreement",
      "this.#exchange.onTheWire > 0 || this.#router.owesAgreement",
    ],
    [
      "the drain cancels a caller who waits for an agreement",
      "this.#exchange.owesCallers || this.#router.owesAgreement",
      "this.#exchange.owesCallers",
    ],
  ],
};
