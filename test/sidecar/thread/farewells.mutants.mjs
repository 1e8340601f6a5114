/** Mutants of `src/sidecar/thread/farewells.ts`. */
export default {
  tests: ["test/contract/farewell"],
  mutants: [
    ["the farewell uses up the time for closing", "const SHARE = 1 / 2;", "const SHARE = 1;"],
    ["any frame is the one that is awaited", "!matchesFrame(body, expect)", "false"],
    [
      "a silent upstream ends the farewell",
      "if (leaving) this.#sayFrom(leaving.step + 1, connection, leaving);",
      "if (leaving) this.#close(connection, leaving);",
    ],
    [
      "the connection is not closed after it",
      "this.end(connection);\n    this.#env.close",
      "if (code < 0) this.#env.close",
    ],
  ],
};
