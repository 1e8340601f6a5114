/** Mutants of `src/sidecar/thread/connection.ts`. */
export default {
  tests: ["test/contract/exit"],
  mutants: [
    [
      "the state is reported after the failures it causes",
      "if (moved) this.#events.state(this.#state(now));",
      "if (moved) setImmediate(() => this.#events.state(this.#state(now)));",
      { tests: ["test/contract/failures"] },
    ],
    [
      "the close ends before the sockets are closed",
      "if (!this.#close || this.#sockets.size > 0) return;",
      "if (!this.#close) return;",
    ],
  ],
};
