/** Mutants of `src/core/exchange/in-flight.ts`. */
export default {
  tests: ["test/core/exchange/exchange", "test/core/exchange/lane"],
  deno: true,
  mutants: [
    ["deadlines are ignored", "this.#deadlines.add(entry);", ""],
    ["a request ends twice", "this.forget(entry);\n    const isCut", "const isCut"],
  ],
};
