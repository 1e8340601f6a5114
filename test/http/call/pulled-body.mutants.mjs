/** Mutants of `src/http/call/pulled-body.ts`. */
export default {
  tests: ["test/http/call/pulled-body", "test/contract/bytes"],
  mutants: [
    ["a body may pause for ever", "fail(paused(terms))", "undefined"],
    ["a body has one bound for all of it", "          waitedMs = 0;\n", ""],
    ["a timer goes on after what it waited for", "        timer.clear();\n", ""],
    ["any byte is enough", "came >= leastBytes", "came > 0"],
    ["the listener cuts a body whose reader is busy", "  grant(Number.POSITIVE_INFINITY);\n", ""],
  ],
};
