/** Mutants of `src/sidecar/slip-place.ts`. */
export default {
  tests: ["test/sidecar/line-slips"],
  mutants: [
    ["a slip that was not taken is written over", "if (Atomics.load(this.#filled, 0) !== 0) return false;", ""],
    ["lone surrogates are changed", " || LONE_SURROGATE.test(text)", ""],
    ["a byte order mark is dropped", "{ ignoreBOM: true }", "{}"],
    ["a slip can be taken twice", "Atomics.store(this.#filled, 0, 0);\n    return", "return"],
  ],
};
