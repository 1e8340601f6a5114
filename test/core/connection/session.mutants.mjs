/** Mutants of `src/core/connection/session.ts`. */
export default {
  tests: ["test/core/connection/session", "test/core/connection/liveness"],
  deno: true,
  mutants: [
    [
      "input of a stale connection is accepted",
      'if ("connection" in input && !("connection" in at && at.connection === input.connection))',
      "if (false)",
    ],
    ["a connection number is used twice", "const connection = session.connection + 1;", "const connection = 1;"],
    [
      "an open socket resets the failures",
      "return enterReady(session, at, context, effects);",
      "return enterReady({ ...session, failures: 0 }, at, context, effects);",
    ],
    ["traffic does not reset the failures", "const working = { ...session, failures: 0 };", "const working = session;"],
    ["failures are not counted", "failures: session.failures + 1", "failures: session.failures"],
    ["any pong counts as proof", " || at.ladder.ping.proof !== proof", ""],
    [
      "a silent peer is pinged without end",
      'return giveUp(session, at.connection, { reason: "silent", rung: due.rung, withinMs }, context);',
      "return withinMs < 0 ? stay(session) : ping(session, at, context);",
    ],
    ["giving up leaves the socket open", '{ type: "destroy", connection },\n    ', ""],
    [
      "a renewal does not report the lost connection",
      '{ type: "lost", connection: at.connection, cause: { reason: "renewed", detail } },',
      "",
    ],
    [
      "a closed session connects again",
      'if (at.phase === "closing") return { session: { ...session, at: { phase: "closed" } }, effects: [] };',
      "",
    ],
    [
      "a close leaves the attempt running",
      'effects: [{ type: "destroy", connection: at.connection }],',
      "effects: [],",
    ],
    [
      "a close leaves the retry timer running",
      'at: { phase: "closed" } }, effects: [CLEAR_TIMER] };',
      'at: { phase: "closed" } }, effects: [] };',
    ],
  ],
};
