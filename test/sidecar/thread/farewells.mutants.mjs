/** Mutants of `src/sidecar/thread/farewells.ts`. */
export default {
  tests: ["test/sidecar/thread/farewells"],
  mutants: [
    ["the farewell uses up the time for closing", "const SHARE = 1 / 2;", "const SHARE = 1;"],
    ["any frame is the one that is awaited", "!matchesFrame(body, expect)", "false"],
    [
      "a silent upstream ends the farewell",
      "if (leaving) this.#sayFrom(leaving.step + 1, connection, leaving);",
      "if (leaving) this.#close(connection, leaving);",
    ],
    ["a second begin lengthens the step that waits", "Math.min(leaving.stepDueAt, leaving.until)", "leaving.until"],
    ["a second begin does not shorten the step", "Math.min(leaving.stepDueAt, leaving.until)", "leaving.stepDueAt"],
    ["a second begin gives more time", "Math.min(known.closedBy, closedBy)", "closedBy"],
    ["a connection that is gone hears the rest", "    this.#leaving.delete(connection);\n", ""],
    [
      "the connection is not closed after it",
      "this.end(connection);\n    this.#env.close",
      "if (code < 0) this.#env.close",
    ],
  ],
};
