/** Mutants of `src/protocols/id-kinds.ts`. */
export default {
  tests: ["test/protocols/id-places"],
  deno: true,
  mutants: [
    ["a UUID of another process is ours", "written?.startsWith(base) ?", "written ?"],
    ["capitals make another UUID", "stringAt(text, value).toLowerCase()", "stringAt(text, value)"],
    ["an id needs no prefix", "if (!whole.startsWith(prefix)) return undefined;", ""],
  ],
};
