/** Mutants of `src/reload/file-watch.ts`. */
export default {
  tests: ["test/reload/file-watch"],
  mutants: [
    ["a file that is half written has changed", "if (isSteady && isChanged)", "if (isChanged)"],
    ["a change is reported with every look", "if (known === undefined || isSteady)", "if (known === undefined)"],
    ["a file that appears has not changed", "return String((error as NodeJS.ErrnoException).code);", "throw error;"],
  ],
};
