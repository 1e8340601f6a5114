/** Mutants of `src/sidecar/thread/phase-timer.ts`. */
export default {
  tests: ["test/faults/rows-48"],
  mutants: [
    [
      "a peer is blamed before its pending frames are read",
      "blames ? () => this.set(CATCH_UP_MS) : this.#onRing",
      "blames ? this.#onRing : this.#onRing",
    ],
  ],
};
