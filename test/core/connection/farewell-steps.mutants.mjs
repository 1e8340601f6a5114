/** Mutants of `src/core/connection/farewell-steps.ts`. */
export default {
  tests: ["test/contract/farewell"],
  mutants: [
    ["a step is said twice", "let step = from;", "let step = Math.max(0, from - 1);"],
    [
      "a farewell stops where a reply is expected",
      "return { frames, awaits: { step, ms",
      "return { frames: [], awaits: { step, ms",
    ],
    ["what needs a value goes out without it", "return { frames, awaits: undefined };\n    }", "}"],
  ],
};
