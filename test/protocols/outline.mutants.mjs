/** Mutants of `src/protocols/outline.ts`. */
export default {
  tests: ["test/protocols/outline"],
  mutants: [
    ["an outline stays known", "    known = undefined;\n    knownEdited = undefined;\n", ""],
    ["an outline counts for every text", "if (known.text === text) return known", "return known"],
    ["the outline of an edited text counts for every text", "knownEdited?.text === text ? k", "knownEdited ? k"],
    ["an edited text is not known", "knownEdited = outlineAfter", "outlineAfter"],
    ["what begins behind an edit does not move", "(at < part.end ? at : at + longer)", "at"],
    ["what begins before an edit moves", "(at < part.end ? at : at + longer)", "at + longer"],
    ["what ends behind an edit does not move", "(at <= part.start ? at : at + longer)", "at"],
    ["what ends where something is inserted moves", "(at <= part.start ? at", "(at < part.start ? at"],
    ["a value that is replaced stays noted", "start < part.start || start >= part.end", "true"],
    ["the values deep inside are noted, too", "const NOTED_DEPTH = 66;", "const NOTED_DEPTH = 1e9;"],
  ],
};
