/** Mutants of `src/client/remote-sidecar.ts`. */
export default {
  tests: ["test/contract/client"],
  mutants: [
    ["messages are repeated without a key", 'this.#repeat > 0 ? { "idempotency-key": randomName("k") } : {}', "{}"],
    ["whatever failed is repeated", "if (repeated >= this.#repeat || !mayRepeat)", "if (repeated >= this.#repeat)"],
    ["late replies are forgotten", "if (location !== null) this.#late.set(failure, location);", ""],
  ],
};
