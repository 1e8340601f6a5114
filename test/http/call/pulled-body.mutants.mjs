/** Mutants of `src/http/call/pulled-body.ts`. */
export default {
  tests: ["test/http/call/pulled-body", "test/contract/bytes"],
  mutants: [
    ["a body may pause for ever", "fail(paused(idleMs))", "undefined"],
    ["a body has one bound for all of it", "} finally {\n        clearTimeout(timer);", "} finally {"],
    ["the listener cuts a body whose reader is busy", "  grant(Number.POSITIVE_INFINITY);\n", ""],
  ],
};
