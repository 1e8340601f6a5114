/** Mutants of `src/core/util/shares.ts`. */
export default {
  tests: ["test/core/util/budget", "test/core/kept-replies"],
  deno: true,
  mutants: [
    ["nobody leaves room for others", "return held <= free;", "return free >= 0;"],
    ["a quota does not bound", "held + amount > this.#quota", "held > this.#quota"],
    ["what is given is still held", "if (left > 0) this.#held.set(caller, left);", "if (left > 0) return;"],
  ],
};
