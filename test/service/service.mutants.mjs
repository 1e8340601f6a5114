/** Mutants of `src/service/service.ts`. */
export default {
  tests: ["test/contract/exit"],
  mutants: [
    [
      "callers of /shutdown are cut",
      "if (connection) this.#kept.add(connection);",
      "",
      { tests: ["test/contract/exit", "test/faults/rows-42"] },
    ],
    [
      "the report is not flushed to its callers",
      "await Promise.all(listeners.map((each) => each.answered(answer)));",
      "",
      { tests: ["test/contract/exit", "test/exit/callers"] },
    ],
  ],
};
