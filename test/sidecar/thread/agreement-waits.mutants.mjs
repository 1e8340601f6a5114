/** Mutants of `src/sidecar/thread/agreement-waits.ts`. */
export default {
  tests: ["test/sidecar/thread/agreement-waits"],
  mutants: [
    ["those that asked are asked again", "    this.#waiting.delete(name);\n    for", "    for"],
    ["a lost request was never sent", ' || this.#known.get(name)?.sent === "maybe"', ""],
    ["a caller that has left still waits", "if (seqs.delete(seq) && seqs.size === 0)", "if (seqs.size === 0)"],
    ["a removed subscription is still known", "    this.#known.delete(name);\n", ""],
  ],
};
