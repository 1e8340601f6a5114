/** Mutants of `src/core/exchange/configured-frames.ts`. */
export default {
  tests: ["test/core/exchange/exchange-configured"],
  deno: true,
  mutants: [
    ["heartbeats without a reply are never forgotten", "others.length > UNANSWERED_MAX", "others.length < 0"],
    ["a greeting is forgotten for heartbeats", 'frame.by !== "greeting"', "frame.by !== undefined"],
    ["an id of the configuration is drawn again", "if (frames.has(id)) return true;", ""],
    [
      "a greeting goes with its reply",
      'if (frame?.by === "greeting") frame.answered = true;\n    else frames?.delete(id);',
      "frames?.delete(id);",
    ],
    ["a lost connection keeps its frames", "this.#byConnection.delete(connection);", ""],
    ["an id of the configuration is left to callers", "return this.#reserved.has(id);", 'return id === "";'],
  ],
};
