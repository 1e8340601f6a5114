/** Mutants of `src/sidecar/thread/member.ts`. */
export default {
  tests: ["test/sidecar/thread/member"],
  mutants: [
    [
      "a step in between puts a tick off",
      "const isAll = named === undefined || this.#env.now() >= this.#allDueAt;",
      "const isAll = named === undefined;",
    ],
    [
      "every beat makes all upstreams look",
      "const isAll = named === undefined || this.#env.now() >= this.#allDueAt;",
      "const isAll = true;",
    ],
    ["names come again", "++this.#names", "this.#names"],
  ],
};
