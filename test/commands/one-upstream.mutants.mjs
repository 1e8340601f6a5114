/** Mutants of `src/commands/one-upstream.ts`. */
export default {
  tests: ["test/contract/call"],
  mutants: [
    [
      "an unknown name takes the first one",
      "upstreams.get(chosen)",
      "upstreams.get(chosen) ?? [...upstreams.values()][0]",
    ],
    ["the only one must be named default", "upstreams.size <= 1", "upstreams.size < 1"],
  ],
};
