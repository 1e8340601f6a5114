/** Mutants of `src/config/overrides.ts`. */
export default {
  tests: ["test/config/load"],
  mutants: [["overrides write through aliases", "isMapping(inner) ? { ...inner } : inner", "inner"]],
};
