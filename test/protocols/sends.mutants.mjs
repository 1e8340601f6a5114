/** Mutants of `src/protocols/sends.ts`. */
export default {
  tests: ["test/core/exchange/lane-unanswered", "test/contract/json-lane"],
  mutants: [
    ["every message counts as one that nothing answers", "if (!isUnanswered(frame))", "if (frame === undefined)"],
    ["no message counts as one that nothing answers", "if (!isUnanswered(frame))", "if (frame !== undefined)"],
    ["a message that nothing answers waits for its turn", ", unanswered: true };", " };"],
  ],
};
