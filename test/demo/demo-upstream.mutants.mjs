/** Mutants of `src/demo/demo-upstream.ts`. */
export default {
  tests: ["test/exit/start"],
  mutants: [["the demo waits for silent connections", "server.closeAllConnections();", ""]],
};
