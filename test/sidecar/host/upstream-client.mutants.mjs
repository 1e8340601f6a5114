/** Mutants of `src/sidecar/host/upstream-client.ts`. */
export default {
  tests: ["test/contract/exit"],
  mutants: [
    [
      "a key stays with the replica that took it",
      "const key = this.isShared ? request.key : undefined;",
      "const key = this.isShared ? undefined : request.key;",
      { tests: ["test/cluster/idempotency"] },
    ],
    [
      "a removal reaches the next thread, and takes a new subscription with it",
      "this.#down !== undefined || !this.#thread.listens",
      "this.#down !== undefined",
      { tests: ["test/sidecar/host/upstream-client"] },
    ],
    ["an exiting sidecar accepts new work", "this.#refusal ??= refusal;", "", { tests: ["test/contract/library"] }],
    [
      "an idle thread that hangs holds up the drain",
      "if (!this.#cluster && this.#waiters.size === 0 && this.lines.size === 0) this.#confirmations.drained.resolve();",
      "",
      { tests: ["test/exit/bounds"] },
    ],
    [
      "the exit waits for a thread that was never started",
      "else this.#confirmations.skip();",
      "",
      { tests: ["test/exit/start"] },
    ],
    [
      "the exit waits for a thread that died during it",
      "if (this.#refusal) this.#confirmations.skip();",
      "if (this.#refusal) void detail;",
      { tests: ["test/exit/bounds"] },
    ],
    [
      "batches beyond the cap are refused by their number",
      "Math.max(this.settings.limits.in_flight, CALLERS_AT_LEAST)",
      "this.settings.limits.in_flight",
      { tests: ["test/contract/failures"] },
    ],
    [
      "callers of a thread that hangs pile up without bound",
      "this.#waiters.size + this.#streams.size < most",
      "most > 0",
      { tests: ["test/sidecar/host/upstream-client"] },
    ],
    ["a reply during drain is not counted", "this.#replies += repliesIn(message.outcome);", ""],
  ],
};
