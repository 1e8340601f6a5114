/** Mutants of `src/config/closed-places.ts`. */
export default {
  tests: ["test/config/written-secrets", "test/config/load"],
  mutants: [
    ["any number is harmless", '[type].flat().includes("integer")', "true"],
    ["units are hidden", "pattern !== undefined && isUnitPattern(pattern)", "false"],
    ["any pattern is harmless", "isUnitPattern(pattern) && new RegExp", "new RegExp"],
    ["enumerations are hidden", "(values as readonly unknown[]).includes(value)", "false"],
  ],
};
