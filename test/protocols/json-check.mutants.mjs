/** Mutants of `src/protocols/json-check.ts`. */
export default {
  tests: ["test/protocols/json-check", "test/protocols/outline"],
  mutants: [
    ["only the last sixteen levels are known", "(this.#words.pop() as number) : this", "0 : this"],
    ["each level begins a word", "depth % WORD === 0 && depth > 0 ?", "depth > 0 ?"],
    ["containers are all arrays", "Number(isObject)) & WORD_MASK", "0) & WORD_MASK"],
    ["a level too much is allowed", "depth >= this.#maxDepth", "depth > this.#maxDepth"],
    ["members of inner objects are members", "if (depth === 1 && closer === CLOSE_BRACE) this.#sink", "this.#sink"],
  ],
};
