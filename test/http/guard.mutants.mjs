/** Mutants of `src/http/guard.ts`. */
export default {
  tests: ["test/contract/pages"],
  mutants: [
    ["a rebinding page is one of ours", "if (hosts === undefined || (site", "if ((site"],
    [
      "a browser that calls the page another one is not heard",
      '(site !== undefined && site !== "same-origin")',
      'site === ""',
    ],
    [
      "the scheme of an Origin does not count",
      "(origin === `http://${own}` || origin",
      "(origin.endsWith(own) || origin",
    ],
  ],
};
