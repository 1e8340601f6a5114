/** Mutants of `src/core/connection/session.ts`. */
export default {
  tests: ["test/core/connection/session", "test/core/connection/liveness", "test/core/connection/rotation"],
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
    [
      "traffic does not reset the failures",
      "{ ...session, at: { ...at, hasTraffic: true } } : session",
      "session : session",
    ],
    ["a connection that ends at once has served", "if (age < SERVED_MS) return", "if (age < SERVED_MS * 0) return"],
    [
      "brief service after brief service forgives all",
      "{ failures: flaps, flaps: flaps + 1, served: true }",
      "{ failures: 0, flaps: flaps + 1, served: true }",
    ],
    ["failures are not counted", "failures: failures + 1, flaps", "failures, flaps"],
    ["any pong counts as proof", "if (at.ladder.ping.proof !== proof) {", "if (at.connection < 0) {"],
    ["a ping that left starts the clock of another", " || at.ladder.ping.proof !== proof", ""],
    [
      "a silent peer is pinged without end",
      'return giveUp(session, at.connection, { reason: "silent", rung: due.rung, withinMs, heard }, context);',
      "return withinMs < 0 ? stay(session) : ping(session, at, context);",
    ],
    [
      "corrected settings wait for the pause after the wrong ones",
      "return anew ? connect(fresh, context) : stay(session);",
      "return stay(session);",
    ],
    ["an attempt by former settings goes on", "if (!anew) return stay(session);", "return stay(session);"],
    ["giving up leaves the socket open", '    ...before,\n    { type: "destroy", connection },', "    ...before,"],
    ["a renewal does not report the lost connection", '{ type: "lost", connection: at.connection, cause },', ""],
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
