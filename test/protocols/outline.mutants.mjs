/** Mutants of `src/protocols/outline.ts`. */
export default {
  tests: ["test/protocols/outline"],
  mutants: [
    ["an outline stays known", "    known = undefined;\n    knownEdited = undefined;\n", ""],
    ["an outline counts for every text", "if (known.text === text) return known", "return known"],
    ["the outline of an edited text counts for every text", "knownEdited?.text === text ? k", "knownEdited ? k"],
    ["an edited text is not known", "knownEdited = outlineAfter", "outlineAfter"],
    ["what lies behind an edit does not move", "(at < part.end ? at : at + longer)", "at"],
    ["what lies before an edit moves", "(at < part.end ? at : at + longer)", "at + longer"],
    ["a value that is replaced stays noted", "start < part.start || start >= part.end", "true"],
    ["the values deep inside are noted, too", "const NOTED_DEPTH = 66;", "const NOTED_DEPTH = 1e9;"],
  ],
};
