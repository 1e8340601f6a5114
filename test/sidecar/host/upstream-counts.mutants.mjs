/** Mutants of `src/sidecar/host/upstream-counts.ts`. */
export default {
  tests: ["test/sidecar/host/upstream-counts"],
  mutants: [
    ["what an instance counted leaves with it", "addTally(of.#past, this.cells);", "void of.#past;"],
    ["an instance that is open does not count", "of.#instances.add(this);", "of.#instances.clear();"],
    ["an instance leaves as often as it is told", "if (of.#instances.delete(this)) ", ""],
    ["ends of connections count for the instance alone", "this.#of?.connectionEnded(wasOpen, code);", ""],
    ["failed attempts are disconnects", "wasOpen ? this.#disconnects : this.#failedAttempts", "this.#disconnects"],
  ],
};
