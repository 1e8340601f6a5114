/** Mutants of `src/library/send-stream.ts`. */
export default {
  tests: ["test/contract/bytes"],
  mutants: [
    ["a caller who leaves is held", 'signal?.addEventListener("abort", onAbort, { once: true });', ""],
    ["a fault of the stream hides what was sent", 'error.sent === "no" && series.sent.frames > 0', "false"],
  ],
};
