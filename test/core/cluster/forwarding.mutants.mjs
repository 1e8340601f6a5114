/** Mutants of `src/core/cluster/forwarding.ts`. */
export default {
  tests: ["test/core/cluster/forwarding"],
  mutants: [
    [
      "an owner that was replaced is waited for",
      "    this.#file(entry, Math.min(entry.dueAt ?? Number.POSITIVE_INFINITY, now + OVERTAKEN_MS));",
      "",
    ],
    ["an owner that released is given up", "    if (this.#released.has(phase.address)) return;", ""],
    ["a new term at the same address counts as a new owner", " || phase.address === address) return;", ") return;"],
    [
      "a lost answer is asked for again",
      '    if (end === "lost") return this.#finish(entry, "settle", unknown);',
      '    if (end === "lost") return this.#askAgain(entry, now);',
    ],
    [
      "a stream keeps its deadline",
      '    this.#file(entry, undefined);\n    entry.phase = { ...entry.phase, type: "streams" };',
      '    entry.phase = { ...entry.phase, type: "streams" };',
    ],
  ],
};
