/** Mutants of `src/protocols/json-by-order.ts`. */
export default {
  tests: ["test/protocols/json-by-order", "test/core/exchange/lane-unanswered"],
  deno: true,
  mutants: [
    [
      "the end of a reply that nobody waits for proves nothing",
      'type === "reply" && !unprompted ?',
      'type === "reply" && unprompted ?',
    ],
    [
      "without rules a frame too many is not waited for",
      "const takesEveryFrame = reply === undefined &&",
      "const takesEveryFrame = reply !== undefined &&",
    ],
    ["a request without ids cannot be ended", "cancel === undefined ? {}", "cancel !== undefined ? {}"],
  ],
};
