/** Mutants of `src/main.ts`. */
export default {
  tests: ["test/contract/exit"],
  mutants: [
    ["the report is not printed", "  printReport(report);\n", ""],
    [
      "the last lines are not flushed",
      "Promise.all([errorLines.flushed(LAST_LINES_WITHIN_MS), ",
      "Promise.all([",
      { tests: ["test/exit/bounds"] },
    ],
    ["the last spans stay behind", ", flushSpans(LAST_SPANS_WITHIN_MS)]", "]", { tests: ["test/contract/traces"] }],
    ["an uncaught error bypasses the exit", "endOnFaults(service);", "", { tests: ["test/exit/faults"] }],
    [
      "a thread that stays keeps the process alive",
      "if (!joined) runtime.abandon(exitCode);",
      "",
      { tests: ["test/faults/rows-38"] },
    ],
    [
      "a crash loop does not end the service",
      "service.exit({ cause: code, exitCode: exitCodeOf(code) });",
      "",
      { tests: ["test/contract/protocol-module"] },
    ],
  ],
};
