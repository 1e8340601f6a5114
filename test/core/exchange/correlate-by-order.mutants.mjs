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
    [
      "a lane takes two requests at once",
      "if (this.#current !== undefined || !this.#lane.takes",
      "if (!this.#lane.takes",
    ],
    ["a lane forgets an owed reply", "this.#lane.bury(now, true);", "void now;"],
    ["an older connection's debt holds back the newest", "if (!newest) return;", "void newest;"],
    ["a message sent without waiting leaves no tombstone", "this.#lane.bury(now, false);", "void now;"],
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
    ["a message that nothing answers waits for a reply", "if (unanswered) return true;", "void unanswered;"],
    ["a message that nothing answers holds requests back", "if (!entry.unanswered) this", "this"],
    [
      "a frame of another connection is part of the reply that is due",
      "due?.connection === connection ?",
      "due !== undefined && connection > 0 ?",
    ],
    ["nothing waits for a frame too many", "if (repliedAt !== undefined) this.#quieten(repliedAt);", "void repliedAt;"],
    ["a late reply is not waited out", "if (last && owed) this.#quieten(now);", "void [owed, now];"],
    ["a frame too many is forgiven", "this.#untrusted = true;", "this.#untrusted = false;"],
    ["a banner makes the lane distrusted", 'if (!this.#used) return "message";', ""],
    ["a cleared tombstone keeps its deadline", "if (!this.#owed && this.#sends === 0) this.#until = undefined;", ""],
    [
      "a new tombstone keeps the deadline of the one before",
      "this.#until = now + TOMBSTONE_MS;",
      "this.#until ??= now + TOMBSTONE_MS;",
    ],
  ],
};
