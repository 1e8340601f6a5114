/** Mutants of `src/http/call/send-in-frames.ts`. */
export default {
  tests: ["test/contract/bytes"],
  mutants: [
    ["a failure hides what was sent", "if (frames === 0) return failure;", "if (frames >= 0) return failure;"],
    ["a body goes on over another connection", "connection ??= outcome.connection;", "connection = undefined;"],
    [
      "nobody is told how far a body came that ended early",
      "if (sent.frames > 0) noteFailure",
      "if (sent.frames < 0) noteFailure",
    ],
  ],
};
