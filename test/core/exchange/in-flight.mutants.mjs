/** Mutants of `src/core/exchange/in-flight.ts`. */
export default {
  tests: ["test/core/exchange/exchange", "test/core/exchange/lane"],
  deno: true,
  mutants: [
    ["deadlines are ignored", "this.#deadlines.add(entry);", ""],
    ["a large frame that ends bytes is read at once", "if (!isJudged(last)) return false;", ""],
    ["a large frame of a reply in bytes is read at once", "&& isJudged(frame) &&", "&&"],
    ["a frame that was read is not judged", "outlineOf(frame) !== undefined", "false"],
    ["a request ends twice", "this.forget(entry);\n    const reply", "const reply"],
    ["the last frame is judged with the caller's id in it", "this.#isCut(frame)", "this.#isCut(body)"],
    [
      "bytes that end a reply and do not fit are owed",
      "this.fail(entry, failures.unread(exceeded));\n      return",
      "this.failEarly(entry, failures.unread(exceeded), now);\n      return",
    ],
  ],
};
