/** Mutants of `src/sidecar/thread/shared-push.ts`. */
export default {
  tests: ["test/sidecar/thread/shared-push.test"],
  deno: true,
  mutants: [
    ["the end of any turn counts", "Math.max(this.#over, command.turn)", "this.#turn"],
    ["it waits for the push alone", "return this.isAtRest && this.#keeper.isKept;", "return this.isAtRest;"],
    ["it waits for the record alone", "return this.isAtRest && this.#keeper.isKept;", "return this.#keeper.isKept;"],
    ["it waits without end", "setTimeout(settle, withinMs)", "setTimeout(settle, 60_000)"],
    ["a fault is told each time", " || fault === this.#told", ""],
    ["a fault that passes is told", "now - this.#failingSince < PATIENCE_MS || ", ""],
    ["nobody is told that it rests", "if (this.isAtRest) this.#env.onRest();", ""],
  ],
};
