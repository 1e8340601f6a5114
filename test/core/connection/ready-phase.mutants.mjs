/** Mutants of `src/core/connection/ready-phase.ts`. */
export default {
  tests: ["test/core/connection/session", "test/core/connection/liveness", "test/core/connection/rotation"],
  deno: true,
  mutants: [
    [
      "traffic does not reset the failures",
      "{ ...session, at: { ...at, hasTraffic: true } } : session",
      "session : session",
    ],
    ["any pong counts as proof", "if (at.ladder.ping.proof !== proof) {", "if (at.connection < 0) {"],
    ["a ping that left starts the clock of another", " || at.ladder.ping.proof !== proof", ""],
    [
      "a silent peer is pinged without end",
      'return giveUp(session, at.connection, { reason: "silent", rung: due.rung, withinMs, heard }, context);',
      "return withinMs < 0 ? stay(session) : ping(session, at, context);",
    ],
  ],
};
