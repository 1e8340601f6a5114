/** Mutants of `src/core/cluster/log-doubt.ts`. */
export default {
  tests: ["test/core/cluster/log-doubt"],
  mutants: [
    ["a log that lacks its end is lost at once", "const DOUBT_MS = 15_000;", "const DOUBT_MS = 0;"],
    [
      "a pause of ours counts as an answer",
      "Math.min(now - (this.#triedAt ?? now), ANSWER_MS)",
      "now - (this.#triedAt ?? now)",
    ],
    ["time in which nobody answers counts", "if (this.isOpen) this.#triedAt = now;", ""],
    ["a failure begins a doubt", "if (this.isOpen) this.#triedAt = now;", "this.#triedAt = now;"],
    [
      "a failure lengthens the doubt",
      "if (this.isOpen) this.#triedAt = now;",
      "if (this.isOpen) this.#answeredMs = 0;",
    ],
    ["a doubt goes on where the one before ended", "this.#answeredMs = 0;\n  }", "}"],
    ["a doubt never ends", "this.#triedAt = undefined;", ""],
  ],
};
