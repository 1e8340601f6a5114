/** Mutants of `src/config/suggestions.ts`. */
export default {
  tests: ["test/config/suggestions"],
  deno: true,
  mutants: [
    ["any key is near", "Math.floor(wanted.length / 3)", "wanted.length"],
    [
      "swapped letters are two edits",
      "isSwap ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY",
      "Number.POSITIVE_INFINITY",
    ],
    ["another spelling is far", ".toLowerCase()", ""],
    ["the list has no end", "here.slice(0, LISTED)", "here"],
  ],
};
