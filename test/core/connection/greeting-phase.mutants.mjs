/** Mutants of `src/core/connection/greeting-phase.ts`. */
export default {
  tests: ["test/core/connection/session", "test/core/connection/liveness", "test/core/connection/rotation"],
  deno: true,
  mutants: [
    [
      "an open socket resets the failures",
      "return enterReady(session, at, context, effects);",
      "return enterReady({ ...session, failures: 0 }, at, context, effects);",
    ],
  ],
};
