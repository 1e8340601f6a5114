/** Mutants of `src/protocols/pattern.ts`. */
export default {
  tests: ["test/instances/filled-settings", "test/config/instance-settings", "test/protocols/text-ids"],
  mutants: [
    ["a part of a text may match", "String.raw`\\A(?:${text})\\z`", "text"],
    ["an alternative leaves the anchors", "String.raw`\\A(?:${text})\\z`", "String.raw`\\A${text}\\z`"],
    [
      "a group beside the id goes with it",
      "return { part, around: holds ? outer : part };",
      "return { part, around: outer ?? part };",
    ],
    ["the brackets of a pattern pair with ours", "    new Pattern(text);\n    return", "    return"],
  ],
};
