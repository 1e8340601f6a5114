/** Mutants of `src/sidecar/thread/keyed-requests.ts`. */
export default {
  tests: ["test/sidecar/thread/keyed-requests"],
  deno: true,
  mutants: [
    ["a timeout ends the key", 'if (end !== "not_owner" && mayFollow(end)) {', "if (end === undefined) {"],
    ["a timeout is told only with the late outcome", "    this.#env.settle(seq, outcome, false);\n  }", "  }"],
    [
      "a late outcome is told as a first one",
      "if (!asker.isTimedOut) this.#env.settle(seq, end, isReplayed);",
      "if (seq > 0) this.#env.settle(seq, end, isReplayed);",
    ],
    ["a late reply is waited for without end", "if (!timedOut || now < timedOut.until) continue;", "continue;"],
    [
      "a late reply is waited for after the claim has ended",
      "this.#end(key, withoutLate(timedOut.outcome));",
      "this.#end(key, timedOut.outcome);",
    ],
    ["what is removed is sent", "for (const seq of [...this.#askers.keys()]) this.abandon(seq);", ""],
    ["a body is kept after it was sent", "    asker.message = undefined;\n", ""],
    ["askers have no bound", "if (this.#askers.size >= most)", "if (this.#askers.size < 0)"],
    ["an asker that leaves is counted for good", "if (this.#askers.delete(seq)) this", "if (seq) this"],
    ["an end on its way to the store is owed to nobody", "if (this.#writes > 0) return true;", ""],
    ["the exit leaves those that timed out waiting", "if (isTimedOut) this.#env.late(", "if (isTimedOut) void ("],
    ["the thread may end before a write", "this.#env.hold(this.#write(effect));", "void this.#write(effect);"],
    ["a message that was sent holds its key no more", 'end === "not_owner" || isUnsent(end)', "true"],
    ["a message that was not sent holds its key", 'end === "not_owner" || isUnsent(end)', 'end === "not_owner"'],
    ["a deadline is told up to a tick too late", "this.#alarm.set(Math.min(this.#env.now() + TICK_MS, deadline));", ""],
    [
      "a replay is not called one",
      "this.#answer(effect.seq, effect.answer, effect.isReplayed)",
      "this.#answer(effect.seq, effect.answer, false)",
    ],
  ],
};
