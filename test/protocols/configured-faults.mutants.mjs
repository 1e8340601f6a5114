/** Mutants of `src/protocols/configured-faults.ts`. */
export default {
  tests: ["test/contract/never-works"],
  mutants: [
    ["text that is no JSON is refused", "&& /^\\s*[[{]/.test(text)", ""],
    ["an id that is filled in is refused", "adopt?.(text, 0)?.frame ?? text", "text"],
    ["answers are not looked at", "...answers.map(", "...answers.slice(9).map("],
  ],
};
