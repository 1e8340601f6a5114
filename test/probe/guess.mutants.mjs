/** Mutants of `src/probe/guess.ts`. */
export default {
  tests: ["test/probe/guess"],
  mutants: [
    ["a pliant server is believed", "agreesTo.size > PLIANT", "agreesTo.size > 99"],
    ["what is certain does not end the doubt", 'found[0]?.sureness === "certain"', 'found[0]?.sureness === "possible"'],
    ["a close gives no hint", "closed === undefined ? []", "closed !== 0 ? []"],
  ],
};
