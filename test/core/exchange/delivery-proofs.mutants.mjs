/** Mutants of `src/core/exchange/delivery-proofs.ts`. */
export default {
  tests: ["test/core/exchange/exchange", "test/core/exchange/lane"],
  deno: true,
  mutants: [
    ["a pong proves nothing", "this.#proven.set(connection, frames);", ""],
    [
      "a pong on the old connection proves delivery on the new",
      "this.#proven.set(connection, frames);",
      "this.#proven.set(this.#connection ?? connection, frames);",
    ],
    [
      "a pong proves messages sent after its ping",
      "phase.order <= (this.#proven.get(phase.connection) ?? 0)",
      "this.#proven.has(phase.connection)",
    ],
    [
      "a proof carries over to the next connection",
      "this.#proven.get(phase.connection)",
      "Math.max(0, ...this.#proven.values())",
    ],
    [
      "an unsent message is reported as maybe sent",
      'if (phase.type === "held") return "no";',
      'if (phase.type === "held") return "maybe";',
    ],
  ],
};
