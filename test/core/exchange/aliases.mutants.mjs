/** Mutants of `src/core/exchange/aliases.ts`. */
export default {
  tests: ["test/core/exchange/exchange-alias"],
  deno: true,
  mutants: [
    ["a pending request loses its alias", " || (known !== undefined && isPending(known))", ""],
    ["a request has any number of aliases", "own.length >= ALIASES_MAX", "own.length < 0"],
    [
      "an alias outlives its request",
      "for (const key of this.#byRequest.get(wire) ?? []) this.#byAlias.delete(key);",
      "",
    ],
    [
      "an alias counts on every connection",
      "return `${connection} ${alias}`;",
      "return `${connection && 1} ${alias}`;",
    ],
  ],
};
