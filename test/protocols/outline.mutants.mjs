/** Mutants of `src/protocols/outline.ts`. */
export default {
  tests: ["test/protocols/outline"],
  mutants: [
    ["an outline stays known", "    known = undefined;\n", ""],
    ["an outline counts for every text", "known?.text === text ? known", "known ? known"],
    ["the values deep inside are noted, too", "const NOTED_DEPTH = 66;", "const NOTED_DEPTH = 1e9;"],
  ],
};
