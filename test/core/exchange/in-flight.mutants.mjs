/** Mutants of `src/core/exchange/in-flight.ts`. */
export default {
  tests: ["test/core/exchange/exchange", "test/core/exchange/lane"],
  deno: true,
  mutants: [
    ["deadlines are ignored", "this.#deadlines.add(entry);", ""],
    ["a large frame that ends bytes is read at once", "if (!isJudged(last)) return false;", ""],
    ["a large frame of a reply in bytes is read at once", "&& isJudged(body) &&", "&&"],
    ["a frame that was read is not judged", "outlineOf(frame) !== undefined", "false"],
    ["a request ends twice", "this.forget(entry);\n    const isCut", "const isCut"],
  ],
};
