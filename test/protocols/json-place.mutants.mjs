/** Mutants of `src/protocols/json-place.ts`. */
export default {
  tests: ["test/protocols/json-place", "test/protocols/pick"],
  deno: true,
  mutants: [
    ["the rest of an object is not looked at for a second member", "if (!isArray) this.#objects++;", ""],
    [
      "a second member does not count in an outer object",
      "if (isWanted) this.#place = {",
      "if (isWanted && this.#objects === 1) this.#place = {",
    ],
    ["a walk goes on behind its limit", "const end = Math.min(until, text.length);", "const end = text.length;"],
    ["the token of an array may have a leading zero", "(?:0|[1-9]\\d*)$/.test(token)", "\\d+$/.test(token)"],
  ],
};
