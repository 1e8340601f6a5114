/** Mutants of `src/core/exchange/admission.ts`. */
export default {
  tests: ["test/core/exchange/exchange", "test/core/exchange/lane"],
  deno: true,
  mutants: [
    ["draining accepts new requests", "if (this.#closed) return failures.shuttingDown;", ""],
    [
      "a request past its deadline is admitted",
      'if (incoming.deadline <= now) return failures.timedOut("no", 0, "reply");',
      "",
    ],
    [
      "an expired request keeps its place",
      "this.#expire(now);",
      "void now;",
      { tests: ["test/core/exchange/exchange-limits"] },
    ],
    ["the cap is one too low", "if (size + items > this.#inFlightMax)", "if (size + items >= this.#inFlightMax)"],
    [
      "the cap is one too high",
      "if (size + items > this.#inFlightMax)",
      "if (size + items > this.#inFlightMax + 1)",
      { tests: ["test/core/exchange/exchange-limits"] },
    ],
    ["bytes buffered in the socket do not count", "heldBytes + buffered + sizeOf", "heldBytes + sizeOf"],
  ],
};
