/** Mutants of `src/sidecar/thread/sockets.ts`. */
export default {
  tests: ["test/contract/exit"],
  mutants: [["a destroyed socket does not count as forced", 'forced: drop.reason === "unclosed"', "forced: false"]],
};
