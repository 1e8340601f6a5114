/** Mutants of `src/http/call/body.ts`. */
export default {
  tests: ["test/contract/library"],
  mutants: [["a body whose caller left is awaited", "else if (incoming?.destroyed) fail(callerLeft);", ""]],
};
