/** Mutants of `src/secrets/placeholders.ts`. */
export default {
  tests: ["test/secrets/placeholders.test"],
  deno: true,
  mutants: [
    ["a dollar before a placeholder escapes it", "quoted(kind, dollars)", "dollars"],
    [
      "literal parts are escaped one by one",
      "this.#literal += text;",
      "this.#text += escapeDeferred(text, this.#later);",
    ],
    [
      "a literal start of an earlier moment is escaped",
      "if (kinds.length === 0) return literal;",
      "kinds = DEFERRED_KINDS;",
    ],
    ["what was resolved before is a placeholder", 'moment(["conn"], [])', "moment(DEFERRED_KINDS, [])"],
    ["anybody may quote a text", "name.startsWith(QUOTE)", 'name.startsWith("%")'],
  ],
};
