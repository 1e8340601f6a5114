/** Mutants of `src/service/listen-cures.ts`. */
export default {
  tests: ["test/contract/mistakes", "test/contract/doctor"],
  mutants: [
    ["a taken port has no cure", "EADDRINUSE: `", "EADDRINUSEX: `"],
    ["a taken socket has no cure", 'EADDRINUSE: "', 'EADDRINUSEX: "', { tests: ["test/contract/listeners"] }],
  ],
};
