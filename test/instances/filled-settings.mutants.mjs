/** Mutants of `src/instances/filled-settings.ts`. */
export default {
  tests: ["test/instances/filled-settings"],
  mutants: [
    ["a part of a value may match", "String.raw`\\A(?:${text})\\z`", "text"],
    ["an alternative leaves the anchors", "String.raw`\\A(?:${text})\\z`", "String.raw`\\A${text}\\z`"],
    [
      "a value that escapes a placeholder is a fault",
      'refused("invalid_request", `params: ${error.message}`) : error',
      "error : error",
    ],
    ["an encoded value is refused", 'filledTexts({ ...outgoing, url: "" }, find)', "filledTexts(outgoing, find)"],
    ["a value is not encoded in the address", "encodeURIComponent(find(name))", "find(name)"],
    ["a value may lead to the folder above", "if (DOTS.test(filled.url))", "if (false)"],
    [
      "a credential without a place is dropped",
      "{ ...filled.headers, [header]: find(CREDENTIAL_PARAM) }",
      "filled.headers",
    ],
  ],
};
