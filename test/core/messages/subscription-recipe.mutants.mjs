/** Mutants of `src/core/messages/subscription-recipe.ts`. */
export default {
  tests: ["test/core/messages/subscriptions"],
  mutants: [
    [
      "a refusal in the protocol's own form is an agreement",
      "refusesCommonly(frame) || (frame.text !== undefined && refuses?.(frame.text) === true)",
      "refusesCommonly(frame)",
    ],
    [
      "only the protocol's own form of a refusal counts",
      "refusesCommonly(frame) || (frame.text !== undefined && refuses?.(frame.text) === true)",
      "frame.text !== undefined && refuses?.(frame.text) === true",
    ],
  ],
};
