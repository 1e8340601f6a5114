/** Mutants of `src/core/messages/early-messages.ts`. */
export default {
  tests: ["test/core/messages/subscriptions"],
  deno: true,
  mutants: [
    ["early messages have no bound", "this.#count >= COUNT_MAX", "this.#count >= COUNT_MAX * 1e9"],
    [
      "the characters of early messages have no bound",
      "this.#characters >= CHARACTERS_MAX",
      "this.#characters >= CHARACTERS_MAX * 1e9",
    ],
    [
      "what others claimed fills the room",
      "const room = claimed ? this.#claimed : this.#unclaimed;",
      "const room = this.#unclaimed;",
    ],
    ["missing messages of a shared subscription are no gap", "(shared && this.#claimed.overflowed)", "false"],
  ],
};
