/** Mutants of `src/client/message-sender.ts`. */
export default {
  tests: ["test/contract/client"],
  mutants: [
    ["messages are repeated without a key", 'this.#repeat > 0 ? { "idempotency-key": randomName("k") } : {}', "{}"],
    ["whatever failed is repeated", "if (repeated >= this.#repeat || !mayRepeat)", "if (repeated >= this.#repeat)"],
    ["the last repetition speaks for all", "sentAtLeast(error, sent);\n          ({", "error;\n          ({"],
    ["late replies are forgotten", "if (location !== null) this.#late.set(failure, location);", ""],
  ],
};
