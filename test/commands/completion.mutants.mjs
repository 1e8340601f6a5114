/** Mutants of `src/commands/completion.ts`. */
export default {
  tests: ["test/contract/completion"],
  mutants: [
    ["every command has every option", "of === undefined || of.includes(command)", "true"],
    ["no value is a file", "/\\b(FILE|SCRIPT)\\b/", "/^$/"],
  ],
};
