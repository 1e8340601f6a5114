/** Mutants of `src/core/exchange/failures.ts`. */
export default {
  tests: ["test/core/exchange/exchange", "test/core/exchange/lane"],
  deno: true,
  mutants: [
    [
      "a frame that answered nothing hides who else waits",
      "if (others > 0) parts.push",
      "if (others > 0 && !heard && !signs) parts.push",
    ],
    [
      "an upstream that was there counts as one that never was",
      "if (readyUntil !== undefined) return",
      "if (attempts < 0) return",
    ],
    ["a lost request does not say what ended its connection", ", cause: codeOf(why) }", " }"],
    [
      "a cancelled request claims that it was not sent",
      '{ code: "cancelled", sent, ',
      '{ code: "cancelled", sent: "no", ',
    ],
  ],
};
