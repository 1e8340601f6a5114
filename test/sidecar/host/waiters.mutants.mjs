/** Mutants of `src/sidecar/host/waiters.ts`. */
export default {
  tests: ["test/sidecar/host/waiters"],
  deno: true,
  mutants: [
    ["no waiter times out", "this.#alarm.set(waiter.until);", ""],
    ["a longer wait never times out", "this.#alarm.set(next);", "void next;"],
    [
      "every waiter times out with the first",
      "if (until <= now) this.#onOverdue(seq);",
      "if (until <= now || seq) this.#onOverdue(seq);",
    ],
    ["a waiter that was taken holds the program", "if (this.size === 0) this.#alarm.unref();", ""],
    ["a waiter after another does not hold the program", "if (this.size === 1) this.#alarm.ref();", ""],
  ],
};
