/** Mutants of `src/sidecar/thread/mark.ts`. */
export default {
  tests: ["test/contract/threads"],
  mutants: [["work is not marked", "word[0] = number;", ""]],
};
