/** Mutants of `src/http/routes/pages.ts`. */
export default {
  tests: ["test/contract/pages"],
  mutants: [
    ["the pages are always served", "if (!page) return;", "void page;"],
    ["any Host gets the pages", "if (refusal) throw refusal;", "void refusal;"],
    ["a page that has not changed is sent again", 'if (own && header(c, "if-none-match")', 'if (header(c, "x-none")'],
    ["the pages may be framed", '...["frame-ancestors", "base-uri",', '...["base-uri",'],
    [
      "names of objects are files",
      "Object.hasOwn(PAGE_FILES, name) ? PAGE_FILES[name] : undefined",
      "PAGE_FILES[name]",
    ],
    ["below a path of an app the links lead nowhere", ".replaceAll('\"pages/',", ".replaceAll('\"no/',"],
  ],
};
