/** Mutants of `src/commands/rpc-words.ts`. */
export default {
  tests: ["test/contract/call"],
  mutants: [
    ["numbers are rounded", "return word.trim();", "return JSON.stringify(JSON.parse(word));"],
    ["parameters are an empty list", 'words.length === 0 ? "" :', ""],
  ],
};
