/** Mutants of `src/runtime/write-deadline.ts`. */
export default {
  tests: ["test/runtime/write-deadline"],
  mutants: [
    ["a reader that makes progress is cut", "if (last?.sent === sent)", "if (last)"],
    ["a stream is cut", "if (!writing?.writableEnded) {", "if (!writing) {"],
    ["nobody is cut", "now - last.at >= STUCK_MS", "now - last.at >= 1e9"],
  ],
};
