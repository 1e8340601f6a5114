/** Mutants of `src/sidecar/thread/framing.ts`. */
export default {
  tests: ["test/sidecar/thread/framing"],
  mutants: [
    [
      "a large frame is checked at once",
      "text.length > LARGE_TEXT && ",
      "text.length > 1e9 && ",
      { tests: ["test/limits/large-replies"] },
    ],
    [
      "bytes that are no JSON become text",
      '"why" in readFrame(text) ? piece : text',
      '"why" in readFrame(text) ? text : text',
    ],
  ],
};
