/** Mutants of `src/core/util/backoff.ts`. */
export default {
  tests: ["test/core/util/backoff"],
  deno: true,
  mutants: [
    ["the delay does not grow", "2 ** Math.min(attempt, 30)", "1"],
    [
      "the delay grows without end",
      "Math.min(toMs, fromMs * 2 ** Math.min(attempt, 30))",
      "fromMs * 2 ** Math.min(attempt, 30)",
    ],
    ["all clients wait equally long", "Math.round(ceiling * random)", "ceiling"],
  ],
};
