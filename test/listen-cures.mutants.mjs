/** Mutants of `src/listen-cures.ts`. */
export default {
  tests: ["test/contract/mistakes", "test/contract/doctor"],
  mutants: [["a taken port has no cure", "EADDRINUSE:", "EADDRINUSEX:"]],
};
