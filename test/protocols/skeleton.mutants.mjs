/** Mutants of `src/protocols/skeleton.ts`. */
export default {
  tests: ["test/protocols/skeleton"],
  mutants: [
    ["what is looked into is taken out", " || this.#looksInto.has(name)", ""],
    ["a key with an escape is any", ' || name.includes("\\\\")', ""],
    [
      "a key is a value",
      "if (this.#bytes[next] !== COLON) this.#valueEnded(end);",
      "this.#valueEnded(end);\n      if (this.#bytes[next] !== COLON) return end;",
    ],
    ["an escaped quote ends a string", "at += code === BACKSLASH ? 2 : 1;", "at += 1;"],
    ["backslashes are not counted", "return (quote - run) % 2 === 0 ? quote : quote + 1;", "return quote;"],
    [
      "a stand-in may be there twice",
      "edited.split(mark).length !== standIns.length + 1",
      "edited.split(mark).length < standIns.length",
    ],
    ["the mark may be in the text", '"~".repeat(longest + 1)', '"~".repeat(longest - longest + 1)'],
    ["any bracket ends a value", "if (!isWhole || this.large", "if (this.large"],
    ["a text may have any number of large values", "=== LARGE_VALUES_MAX", "=== 1e9"],
    ["a mark may be of any length", "if (mark.length > MARK_MAX) return undefined;", ""],
    ["any number of bytes stay", "if (keptBytes > KEPT_BYTES_MAX) return undefined;", ""],
    ["a list is not told from an object", "return first === OPEN_BRACE ? ", "return first !== QUOTE ? "],
    [
      "a text without an end has a skeleton",
      "if (depth > 0 || this.large?.length === 0)",
      "if (this.large?.length === 0)",
    ],
  ],
};
