/** Mutants of `src/core/connection/captured-values.ts`. */
export default {
  tests: ["test/core/connection/captured-values"],
  deno: true,
  mutants: [
    ["null is a value", 'if (kind === "null") return undefined;', ""],
    ["an older connection changes kept values", "return connection >= keptOn;", "return keptOn >= 0;"],
    ["one kept value is enough to resume", "[...resuming].every(", "[...resuming].some("],
    ["a value may be as long as a frame", "json.length > VALUE_MAX", "json.length < 0"],
    ["secrets are remembered without a bound", ".slice(-SECRETS_MAX)", ""],
  ],
};
