/** Mutants of `src/core/messages/agreement.ts`. */
export default {
  tests: ["test/core/messages/subscriptions"],
  mutants: [
    [
      "one confirmation is enough",
      "confirmed.size + refusals >= (agreed?.length ?? 1)",
      "confirmed.size + refusals >= 1",
    ],
    ["a refusal in common words is an agreement", "if (refused?.(frame) || isCommon) {", "if (refused?.(frame)) {"],
    ["a message refuses in common words", "const isCommon = isReply && ", "const isCommon = "],
    ["a refusal in described words is an agreement", "if (refused?.(frame) || isCommon) {", "if (isCommon) {"],
  ],
};
