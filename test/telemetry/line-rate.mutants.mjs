/** Mutants of `src/telemetry/line-rate.ts`. */
export default {
  tests: ["test/telemetry"],
  mutants: [
    ["a second begins before its lines are flushed", " && this.held === 0", ""],
    ["flushed lines are counted again", "    this.#lines = new Map();\n    return held;", "    return held;"],
  ],
};
