/** Mutants of `src/http/call/pulled-body.ts`. */
export default {
  tests: ["test/contract/bytes"],
  mutants: [
    ["a body may pause for ever", "fail(paused(idleMs))", "undefined"],
    ["a body has one bound for all of it", "} finally {\n        clearTimeout(timer);", "} finally {"],
  ],
};
