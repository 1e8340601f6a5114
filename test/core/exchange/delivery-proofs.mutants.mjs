/** Mutants of `src/core/exchange/delivery-proofs.ts`. */
export default {
  tests: ["test/core/exchange/exchange", "test/core/exchange/lane"],
  deno: true,
  mutants: [
    ["a pong proves nothing", "this.#proven.set(connection, messages);", ""],
    [
      "a pong on the old connection proves delivery on the new",
      "this.#proven.set(connection, messages);",
      "this.#proven.set(this.#connection, messages);",
    ],
    [
      "a pong proves messages sent after its ping",
      "entry.order <= (this.#proven.get(entry.connection) ?? 0)",
      "this.#proven.has(entry.connection)",
    ],
    [
      "a proof carries over to the next connection",
      "this.#proven.get(entry.connection)",
      "Math.max(0, ...this.#proven.values())",
    ],
    ["an unsent message is reported as maybe sent", 'if (entry.connection === 0) return "no";', ""],
  ],
};
