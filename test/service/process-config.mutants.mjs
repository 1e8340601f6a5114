/** Mutants of `src/service/process-config.ts`. */
export default {
  tests: ["test/exit/bounds"],
  mutants: [["warnings are not printed", "log.warn(warning);", "void warning;"]],
};
