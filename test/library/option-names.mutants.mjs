/** Mutants of `src/library/option-names.ts`. */
export default {
  tests: ["test/contract/async-upstream"],
  mutants: [["every option is known", "if (Object.hasOwn(known, name)) continue;", "continue;"]],
};
