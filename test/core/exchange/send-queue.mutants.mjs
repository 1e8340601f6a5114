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
      "if (entry.phase.over === undefined) this.#requests.reschedule(entry, entry.deadline);",
      "if (entry.phase.over === undefined) void entry;",
    ],
    [
      "a caller waits behind all renewals",
      "const preferred = rest[this.#turn].next();",
      "const preferred = rest.subscriptions.next();",
    ],
    [
      "a changed rate limit forgets what went out",
      "this.#pace?.limit.sent ?? new Array<number>(pace.messages).fill(now)",
      "[] as number[]",
    ],
    ["our own frames do not count for the pace", 'if (this.#pace?.settings.counts === "all")', "if (false)"],
    ["no turn is left for a ping", "const at = limit.at(reserved, now);", "const at = limit.at(0, now);"],
    ["a new connection inherits its predecessor's debts", "this.#requests.correlation.clear();", ""],
    ["held requests survive once they cannot be sent", "this.#requests.fail(entry, failure);", "void entry;"],
    [
      "a request overtakes one that waits for a reply",
      "if (isBlocked && !entry.unanswered) continue;",
      "if (isBlocked && entry.unanswered) continue;",
    ],
  ],
};
