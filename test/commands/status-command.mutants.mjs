/** Mutants of `src/commands/status-command.ts`. */
export default {
  tests: ["test/contract/status"],
  mutants: [
    ["whatever answers is ready", 'readiness === "ready" ? 0 : NOT_READY', "0"],
    ["a failure of the state is printed as the state", "if (!response.ok) throw await failureOf(response);", ""],
  ],
};
