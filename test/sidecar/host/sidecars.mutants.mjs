/** Mutants of `src/sidecar/host/sidecars.ts`. */
export default {
  tests: ["test/contract/library", "test/contract/exit"],
  mutants: [
    ["a second exit runs the steps again", "this.#exit ??= runExit(", "this.#exit = runExit("],
    ["force is ignored", "if (force) this.#force.abort();", ""],
  ],
};
