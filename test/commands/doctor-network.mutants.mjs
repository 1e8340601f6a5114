/** Mutants of `src/commands/doctor-network.ts`. */
export default {
  tests: ["test/contract/doctor"],
  mutants: [
    ["an unknown name is passed over", "if (isOver(findings)) return findings;", "if (isOver(findings)) return [];"],
  ],
};
