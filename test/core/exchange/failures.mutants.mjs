/** Mutants of `src/core/exchange/failures.ts`. */
export default {
  tests: ["test/core/exchange/exchange", "test/core/exchange/lane"],
  deno: true,
  mutants: [
    [
      "a cancelled request claims that it was not sent",
      '{ code: "cancelled", sent, ',
      '{ code: "cancelled", sent: "no", ',
    ],
  ],
};
