/** Mutants of `src/protocols/pattern.ts`. */
export default {
  tests: ["test/instances/filled-settings", "test/config/instance-settings"],
  mutants: [
    ["a part of a text may match", "String.raw`\\A(?:${text})\\z`", "text"],
    ["an alternative leaves the anchors", "String.raw`\\A(?:${text})\\z`", "String.raw`\\A${text}\\z`"],
    ["the brackets of a pattern pair with ours", "    new Pattern(text);\n    return", "    return"],
  ],
};
