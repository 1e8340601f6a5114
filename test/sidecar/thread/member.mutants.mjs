/** Mutants of `src/sidecar/thread/member.ts`. */
export default {
  tests: ["test/sidecar/thread/member"],
  mutants: [
    [
      "every beat makes all upstreams look",
      "const isAll = named === undefined || this.#env.now() >= this.#allDueAt;",
      "const isAll = true;",
    ],
    ["names come again", "++this.#names", "this.#names"],
  ],
};
