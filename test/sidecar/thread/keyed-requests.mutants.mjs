/** Mutants of `src/sidecar/thread/keyed-requests.ts`. */
export default {
  tests: ["test/sidecar/thread/keyed-requests"],
  deno: true,
  mutants: [
    ["a timeout ends the key", 'if (end !== "not_owner" && mayFollow(end)) {', "if (end === undefined) {"],
    ["a timeout is told only with the late outcome", "      this.#env.settle(seq, outcome, false);\n", ""],
    [
      "a late outcome is told as a first one",
      'else if (this.#late.delete(seq) && end !== "not_owner") this.#env.late(seq, end);',
      "else if (this.#late.delete(seq)) this.#env.settle(seq, end, isReplayed);",
    ],
    ["a late reply is waited for without end", "if (now < until) break;", "break;"],
    [
      "a late reply is waited for after the claim has ended",
      "this.#end(message.key, withoutLate(message.outcome));",
      "this.#end(message.key, message.outcome);",
    ],
    ["what is removed is sent", "for (const seq of [...this.#askers.keys(), ...this.#late]) this.abandon(seq);", ""],
    ["a body is kept after it was sent", "    asker.message = undefined;\n", ""],
    [
      "the keys of what has timed out stay open after the exit",
      "    this.#endAllLate();\n  }\n\n  /** Stops",
      "  }\n\n  /** Stops",
    ],
    [
      "the keys of what has timed out stay open after a removal",
      "    this.#sent.clear();\n    this.#endAllLate();\n",
      "    this.#sent.clear();\n",
    ],
    [
      "those that timed out count as waiting",
      "this.#askers.size >= most",
      "this.#askers.size + this.#late.size >= most",
    ],
    ["late outcomes have no bound", "this.#timedOut.size > this.#lateMax", "this.#timedOut.size < 0"],
    ["an end that the store did not take is owed to nobody", " || this.#claims.isStoring", ""],
    ["a claim that is won too late is sent", "if (!this.#env.mayWrite())", "if (!this.#env)"],
    ["askers have no bound", "if (this.#askers.size >= most)", "if (this.#askers.size < 0)"],
    [
      "an asker that leaves is counted for good",
      "if (this.#askers.delete(seq) || this.#late.delete(seq)) this",
      "if (seq) this",
    ],
    [
      "an end on its way to the store is owed to nobody",
      "this.#writes > 0 || this.#askers.size > 0 || this.#claims.isStoring",
      "this.#askers.size > 0",
    ],
    ["the exit leaves those that timed out waiting", "      this.#env.late(seq, failed(failure, undefined));\n", ""],
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
