/** Mutants of `src/config/closed-places.ts`. */
export default {
  tests: ["test/config/written-secrets", "test/config/load"],
  mutants: [
    ["bounded numbers are hidden", '[type].flat().includes("integer")', '[type].flat().includes("number")'],
    ["units are hidden", "&& isUnitPattern(pattern)", "&& !isUnitPattern(pattern)"],
    ["any pattern is harmless", "isUnitPattern(pattern) && new RegExp", "new RegExp"],
    ["enumerations are hidden", "(values as readonly unknown[]).includes(value)", "false"],
  ],
};
