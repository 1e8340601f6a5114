/** Mutants of `src/protocols/id-kinds.ts`. */
export default {
  tests: ["test/protocols/id-places"],
  deno: true,
  mutants: [
    ["a UUID of another process is ours", "written.startsWith(base) && /^[0-9a-f]{12}$/", "/^[0-9a-f]{12}$/"],
    ["capitals make another UUID", "stringAt(text, value).toLowerCase()", "stringAt(text, value)"],
    ["an id needs no prefix", "if (!whole.startsWith(prefix)) return undefined;", ""],
  ],
};
