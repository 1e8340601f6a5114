/** Mutants of `src/runtime/lines.ts`. */
export default {
  tests: ["test/faults/rows-51"],
  mutants: [
    ["the last lines are awaited without a bound", "await Promise.race([this.#pump, bound]);", "await this.#pump;"],
  ],
};
