/** Mutants of `src/protocols/ignored.ts`. */
export default {
  tests: ["test/contract/ignore"],
  mutants: [
    ["nothing is ignored", "isIgnored(frameText(frame))", "isIgnored(frameText(frame)) && frame.length < 0"],
    ["everything is ignored", "isIgnored(frameText(frame))", "(isIgnored(frameText(frame)) || frame.length > 0)"],
  ],
};
