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
    [
      "a connection whose module failed is greeted",
      'return giveUp(session, input.connection, { reason: "module", detail: input.detail }, context);',
      "return greet(session, input.connection, 0, context);",
    ],
    ["a connection number is used twice", "const connection = session.connection + 1;", "const connection = 1;"],
    [
      "corrected settings wait for the pause after the wrong ones",
      "return anew ? connect(fresh, context) : stay(session);",
      "return stay(session);",
    ],
    ["an attempt by former settings goes on", "if (!anew) return stay(session);", "return stay(session);"],
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
