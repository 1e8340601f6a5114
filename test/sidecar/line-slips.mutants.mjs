/** Mutants of `src/sidecar/line-slips.ts`. */
export default {
  tests: ["test/sidecar/line-slips"],
  mutants: [
    ["a key is left out of a slip", "if (key || kind < 0", "if (kind < 0"],
    ["a reply that was cut short is whole in a slip", " || isMarked", ""],
    ["a thread takes the slip of another request", "this.#requests.take(seq)", "this.#requests.take()"],
    ["what a dead thread has left stays", "this.#requests.clear();", ""],
  ],
};
