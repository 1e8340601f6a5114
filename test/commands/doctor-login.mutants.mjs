/** Mutants of `src/commands/doctor-login.ts`. */
export default {
  tests: ["test/contract/doctor"],
  mutants: [
    ["a refusal is waited for", '["ready", "waiting", "refused", "closed"]', '["ready", "waiting", "closed"]'],
    ["whatever ends is ready", 'if (state.phase === "ready")', "if (state.phase)"],
  ],
};
