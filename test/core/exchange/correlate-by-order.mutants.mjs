/** Mutants of `src/core/exchange/correlate-by-order.ts`. */
export default {
  tests: ["test/core/exchange/exchange", "test/core/exchange/lane", "test/core/exchange/exchange-rotation"],
  deno: true,
  mutants: [
    ["a request goes out while a reply is owed", "!this.#owed && (!expectsReply", "(!expectsReply"],
    [
      "a request goes out while a send's reply may arrive",
      "!expectsReply || this.#sends === 0",
      "!expectsReply || this.#sends >= 0",
    ],
    [
      "an owed reply stays owed after it arrived",
      "if (late) this.#owed = false;",
      "if (late) this.#until = undefined;",
    ],
    ["a lane waits without bound for an owed reply", "return owed;", "return false;"],
    ["a lane takes two requests at once", "this.#current === undefined && this.#lane.takes", "this.#lane.takes"],
    ["a lane forgets an owed reply", "if (newest) this.#lane.bury(now, true);", "void [now, newest];"],
    [
      "an older connection's debt holds back the newest",
      "if (newest) this.#lane.bury(now, true);",
      "void newest;\n    this.#lane.bury(now, true);",
    ],
    ["a message sent without waiting leaves no tombstone", "else this.#lane.bury(now, false);", "else void now;"],
    [
      "a frame of an older connection settles the current request",
      "if (this.#current?.phase.connection === connection)",
      "if (this.#current && connection > 0)",
    ],
    [
      "a frame of an older connection settles a request of another",
      "if (entry.phase.connection === connection) return",
      "if (connection > 0) return",
    ],
    [
      "a request in flight on an older connection holds back the newest",
      "    this.#current = undefined;\n    this.#lane.clear();",
      "    this.#lane.clear();",
    ],
    ["a cleared tombstone keeps its deadline", "if (!this.#owed && this.#sends === 0) this.#until = undefined;", ""],
    [
      "a new tombstone keeps the deadline of the one before",
      "this.#until = now + TOMBSTONE_MS;",
      "this.#until ??= now + TOMBSTONE_MS;",
    ],
  ],
};
