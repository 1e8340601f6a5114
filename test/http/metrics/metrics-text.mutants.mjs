/** Mutants of `src/http/metrics/metrics-text.ts`. */
export default {
  tests: ["test/http/metrics/metrics-text"],
  mutants: [
    ["every piece has a head", "pieces.length === 0 ? text : withoutHead(text)", "text"],
    ["the last piece is lost", "  yield piece;\n}", "}"],
    ["a turn takes as long as it takes", "await new Promise<void>(takeTurn);", ""],
    ["in OpenMetrics a family keeps the suffix of its samples", 'isOpenMetrics && family.type === "counter"', "false"],
  ],
};
