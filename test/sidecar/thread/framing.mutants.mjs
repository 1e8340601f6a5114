/** Mutants of `src/sidecar/thread/framing.ts`. */
export default {
  tests: ["test/sidecar/thread/framing"],
  mutants: [
    ["a large frame is checked at once", "text.length > LARGE_TEXT && ", "text.length > 1e9 && "],
    [
      "a large reply is text",
      "if (skeleton !== undefined && large.take(skeleton)) return undefined;",
      "if (skeleton !== undefined) large.take(skeleton);",
    ],
    [
      "bytes that are no JSON become text",
      '"why" in readFrame(text) ? piece : text',
      '"why" in readFrame(text) ? text : text',
    ],
  ],
};
