/** Mutants of `src/sidecar/thread/arrivals.ts`. */
export default {
  tests: ["test/sidecar/thread/arrivals"],
  mutants: [
    ["a small frame overtakes a large one", "const isFirst = this.isEmpty;", "const isFirst = true;"],
    ["the end overtakes frames", "if (this.isEmpty) then();", "if (this.#waiting) then();"],
    ["the socket is never read again", "else this.#env.release();", ""],
  ],
};
