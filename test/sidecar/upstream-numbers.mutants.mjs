/** Mutants of `src/sidecar/upstream-numbers.ts`. */
export default {
  tests: ["test/sidecar/upstream-numbers"],
  mutants: [
    ["an upstream that has left keeps its number", "this.#names.delete(number);", ""],
    [
      "a number is given again",
      "this.set(name, ++this.#last);",
      "this.#last = this.#names.size + 1;\n    this.set(name, this.#last);",
    ],
  ],
};
