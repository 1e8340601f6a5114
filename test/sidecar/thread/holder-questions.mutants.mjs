/** Mutants of `src/sidecar/thread/holder-questions.ts`. */
export default {
  tests: ["test/sidecar/thread/holder-questions"],
  mutants: [
    ["where nobody is, the host is gone", "return now - since >= this.#env.goneAfterMs;", "return true;"],
    ["a host that is gone may come back", "if (this.#env.isHostGone(hostOf(address))) return true;", ""],
    ["an answer is forgotten", "this.#missing.delete(address);\n          end", "end"],
    ["addresses are remembered without bound", "if (this.#missing.size >= MISSING_MAX)", "if (this.#missing.size < 0)"],
    ["who left still waits", "this.#asked.get(command.seq)?.end();", ""],
  ],
};
