/** Mutants of `src/config/placeholder-places.ts`. */
export default {
  tests: ["test/config/placeholder-places"],
  mutants: [
    ["options that go out are resolved nowhere", '["protocol", option, "**"]', '["protocol", "**", option]'],
    ["options that go out are not kept secret", " && !isAmong(path, options)", ""],
    [
      "places of the proxy take parameters",
      '(kind !== "param" && isAmong(path, WAY_PLACES))',
      "isAmong(path, WAY_PLACES)",
    ],
  ],
};
