/** Mutants of `src/instances/filled-settings.ts`. */
export default {
  tests: ["test/instances/filled-settings"],
  mutants: [
    ["a value is read for groups", "fillParams(protocol.answers, find, true)", "fillParams(protocol.answers, find)"],
    ["a value is not encoded in the address", "encodeURIComponent(find(name))", "find(name)"],
    ["a value may lead to the folder above", "if (DOTS.test(filled.url))", "if (false)"],
    [
      "a credential without a place is dropped",
      "{ ...filled.headers, [header]: find(CREDENTIAL_PARAM) }",
      "filled.headers",
    ],
  ],
};
