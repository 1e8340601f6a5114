/** Mutants of `src/sidecar/patient-timer.ts`. */
export default {
  tests: ["test/sidecar/alarm"],
  deno: true,
  mutants: [
    ["what came in time is too late", "performance.now() - due <= CATCH_UP_MS", "performance.now() - due <= 1e9"],
    ["a late timer never rings", "setTimeout(this.#ring, CATCH_UP_MS)", "setTimeout(() => {}, CATCH_UP_MS)"],
  ],
};
