/** Mutants of `src/config/json-schema.ts`. */
export default {
  tests: ["test/config/schema"],
  mutants: [
    ["references keep their base", "reference.$ref = `${base}${name}`;", ""],
    ["parts without a name stay references", "rename(Object.assign(reference, structuredClone(part)));", ""],
  ],
};
