/** Mutants of `src/core/util/bounded-counts.ts`. */
export default {
  tests: ["test/core/util/histogram"],
  mutants: [
    ["names have no bound", "this.#counts.size < NAMES_MAX", "true"],
    ["a known name counts as other once they have run out", "this.#counts.has(name) || ", ""],
  ],
};
