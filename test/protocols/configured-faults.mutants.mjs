/** Mutants of `src/protocols/configured-faults.ts`. */
export default {
  tests: ["test/contract/never-works"],
  mutants: [
    ["text that is no JSON is refused", "&& /^\\s*[[{]/.test(text)", ""],
    ["an id that is filled in is refused", "adopt?.(text, 0)?.frame ?? text", "text"],
    ["answers are not looked at", "...answers.map(", "...answers.slice(9).map("],
    ["only the first place of an id is kept", "idPlaces.find(", "idPlaces.slice(0, 1).find("],
  ],
};
