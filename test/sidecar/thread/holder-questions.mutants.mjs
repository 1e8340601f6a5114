/** Mutants of `src/sidecar/thread/holder-questions.ts`. */
export default {
  tests: ["test/sidecar/thread/holder-questions"],
  mutants: [
    ["where nobody is, the host is gone", "if (isHeard) {", "if (true) {"],
    ["a host is asked for ever", "if (isHeard) {", "if (false) {"],
    ["one that is silent is asked again", 'how === "gone" ? end("nobody") : ', ""],
    ["who left still waits", "this.#asked.get(command.seq)?.end();", ""],
    ["each question counts twice", "if (!isHeard) this.#env.tally", "this.#env.tally"],
  ],
};
