/** Mutants of `src/core/connection/rotation.ts`. */
export default {
  tests: ["test/core/connection/rotation"],
  deno: true,
  mutants: [
    [
      "settings start a second successor beside the first",
      ": successor\n      ? stepSuccessor(",
      ": false && successor\n      ? stepSuccessor(",
    ],
    ["the age begins anew with the settings", "context.now - session.at.since", "0"],
    ["a replaced connection loses its replies", "rotate?.drain ?? DRAIN_MS", "rotate?.drain ?? 0"],
    ["two successors connect at a time", "if (successor || at.phase", "if (at.phase"],
    ["an upstream that requests every rotation gets no pause", "if (before === 0) return", "if (before >= 0) return"],
    ["a repeated request shortens the wait", " || requestedOn === connection", ""],
    [
      "a connection that lasted is replaced too late",
      "< to ? earlyRequests : 0",
      "< to ? earlyRequests : earlyRequests",
    ],
    [
      "a request on an older connection replaces the newest",
      "at.connection !== connection || requestedOn === connection",
      "requestedOn === connection",
    ],
    ["a successor reuses a connection number", "{ ...newSession, connection: current.connection }", "newSession"],
    [
      "a successor takes over before it is greeted",
      'if (session.at.phase !== "ready") return { rotation: { ...rotation, successor: session }',
      'if (session.at.phase !== "ready" && session.at.phase !== "greeting") return { rotation: { ...rotation, successor: session }',
    ],
    [
      "the successor is retired instead of its predecessor",
      'type: "retire", connection: rotation.current.connection',
      'type: "retire", connection: session.connection',
    ],
    ["another attempt starts beside the successor", ' && type !== "connect")', ")"],
    [
      "a close leaves the successor open",
      "...closing, CLEAR_ROTATION_TIMER",
      "...closing.slice(0, 0), CLEAR_ROTATION_TIMER",
    ],
    [
      "a failed attempt loses requests",
      'return effect.type === "lost" ? { type: "rotationFailed", cause: effect.cause } : effect;',
      "return effect;",
    ],
    ["the successor sets its predecessor's timer", '{ ...effect, type: "rotationTimer" }', "effect"],
    ["a connection may exceed its maximum age", "1 - random / 4", "1 + random / 4"],
  ],
};
