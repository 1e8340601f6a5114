/** Mutants of `src/core/connection/rotation.ts`. */
export default {
  tests: ["test/core/connection/rotation"],
  deno: true,
  mutants: [
    ["two successors connect at a time", "if (next || at.phase", "if (at.phase"],
    ["an upstream that always asks is left without a pause", "if (before === 0) return", "if (before >= 0) return"],
    ["asking twice shortens the wait", " || asked === connection", ""],
    ["a connection that lasted is left too late", "< to ? hurried : 0", "< to ? hurried : hurried"],
    ["a connection is left twice", "at.connection !== connection || asked === connection", "asked === connection"],
    ["a successor reuses a connection number", "{ ...newSession, connection: current.connection }", "newSession"],
    [
      "a successor takes over before it is greeted",
      'if (session.at.phase !== "ready") return { pair: { ...pair, next: session }',
      'if (session.at.phase !== "ready" && session.at.phase !== "greeting") return { pair: { ...pair, next: session }',
    ],
    [
      "the successor is retired instead of its predecessor",
      'type: "retire", connection: pair.current.connection',
      'type: "retire", connection: session.connection',
    ],
    ["another attempt starts beside the successor", ' && type !== "connect")', ")"],
    ["a close leaves the successor open", "...left, noNextTimer", "...left.slice(0, 0), noNextTimer"],
    [
      "a failed attempt loses requests",
      'return effect.type === "lost" ? { type: "notRotated", why: effect.why } : effect;',
      "return effect;",
    ],
    ["the successor sets its predecessor's timer", '{ ...effect, type: "nextTimer" }', "effect"],
    ["a connection may exceed its maximum age", "1 - random / 4", "1 + random / 4"],
  ],
};
