/** Mutants of `src/reload/reloader.ts`. */
export default {
  tests: ["test/contract/reload"],
  mutants: [
    ["a reload that failed is not remembered", "this.#note(failure.detail);", ""],
    ["a reload forgets what it has put into force", "this.#snapshot = Promise.resolve(plan.after);", ""],
  ],
};
