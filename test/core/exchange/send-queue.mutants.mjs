/** Mutants of `src/core/exchange/send-queue.ts`. */
export default {
  tests: ["test/core/exchange/exchange", "test/core/exchange/lane"],
  deno: true,
  mutants: [
    [
      "requests are held between attempts",
      'if (this.#availability.type === "down") return failures.unavailable(this.#availability, now);',
      "",
    ],
    ["a request is held until its deadline", ": Math.min(deadline, now + HOLD_MS);", ": deadline;"],
    [
      "connecting does not lift a request's hold",
      "for (const entry of this.#requests.table.held) this.#requests.reschedule(entry, entry.deadline);",
      "",
    ],
    ["a new connection inherits its predecessor's debts", "this.#requests.correlation.clear();", ""],
    ["held requests survive once they cannot be sent", "this.#requests.fail(entry, failure);", "void entry;"],
  ],
};
