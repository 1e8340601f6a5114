/** Mutants of `src/core/exchange/exchange.ts`. */
export default {
  tests: ["test/core/exchange/exchange", "test/core/exchange/lane"],
  deno: true,
  mutants: [
    ["draining leaves held requests", "this.#sendQueue.failHeld(failures.shuttingDown);", ""],
    [
      "a lost connection fails nothing",
      "this.#requests.fail(entry, failures.lost(this.#delivery.sent(entry), why, awaited(entry)));",
      "void why;",
    ],
    [
      "a lost connection fails requests of the others",
      "for (const entry of this.#requests.table.sentOn(connection)) {",
      "for (const entry of this.#requests.table.all()) {",
    ],
    [
      "a lost connection still owes replies",
      "if (this.#delivery.isNewest(connection)) this.#requests.correlation.clear();",
      "",
    ],
    ["a lost connection is written to", "this.#sendQueue.disconnect(connection, now);\n    return", "return"],
    ["a socket that refused a frame is written to", "this.#sendQueue.disconnect(entry.phase.connection, now);", ""],
    ["a timeout sends no probe", 'if (sent === "maybe") this.#effects.push({ type: "probe" });', ""],
    ["cancelling leaves pending requests", "this.#requests.fail(entry, failures.cancelled(sent, awaited(entry)));", ""],
    ["cancelling counts every request as maybe sent", "counts[sent]++;", "counts.maybe++;"],
    ["cancelling leaves the lane's deadline", "this.#requests.correlation.clear();\n    return", "return"],
  ],
};
