/** Mutants of `src/sidecar/thread/phase-timer.ts`. */
export default {
  tests: ["test/faults/rows-48"],
  mutants: [
    [
      "a peer is blamed before its pending frames are read",
      "if (blames || isHeld) this.set(CATCH_UP_MS, isHeld);",
      "if (isHeld) this.set(CATCH_UP_MS, isHeld);",
    ],
    [
      "a peer is blamed while its frames wait to be handled",
      "if (blames || isHeld) this.set(CATCH_UP_MS, isHeld);",
      "if (blames) this.set(CATCH_UP_MS);",
      { tests: ["test/sidecar/thread/phase-timer"] },
    ],
  ],
};
