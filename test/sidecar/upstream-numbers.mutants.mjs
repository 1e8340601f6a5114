/** Mutants of `src/sidecar/upstream-numbers.ts`. */
export default {
  tests: ["test/sidecar/upstream-numbers"],
  mutants: [
    ["an upstream that has left keeps its number", "if (known === name) this.#names.delete(number);", "void known;"],
    [
      "a number is given again",
      "this.#names.set(++this.#last, name);",
      "this.#last = this.#names.size + 1; this.#names.set(this.#last, name);",
    ],
  ],
};
