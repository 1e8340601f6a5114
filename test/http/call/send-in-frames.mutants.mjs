/** Mutants of `src/http/call/send-in-frames.ts`. */
export default {
  tests: ["test/contract/bytes"],
  mutants: [
    ["frames go on to leave for a caller that has left", "if (leaving.aborted) throw callerLeft;", ""],
    [
      "nobody is told how far a body came that ended early",
      "if (sent.frames > 0) noteFailure",
      "if (sent.frames < 0) noteFailure",
    ],
  ],
};
