/** Mutants of `src/sidecar/thread/member.ts`. */
export default {
  tests: ["test/sidecar/thread/member"],
  mutants: [
    [
      "every beat makes all upstreams look",
      "const isAll = named === undefined || this.#env.now() >= this.#allDueAt;",
      "const isAll = true;",
    ],
    ["a host is heard in the beat of another", "if (!member.startsWith(waiting.host)) continue;", ""],
    ["nobody is ever gone", "    this.#lookForGone();\n  }\n\n  #perform", "  }\n\n  #perform"],
    ["who waits hears nothing", "    this.#heardFrom(beat.member);\n", ""],
    ["names come again", "++this.#names", "this.#names"],
  ],
};
