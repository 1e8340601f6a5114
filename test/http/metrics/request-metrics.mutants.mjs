/** Mutants of `src/http/metrics/request-metrics.ts`. */
export default {
  tests: ["test/http/metrics/request-metrics"],
  mutants: [
    ["a caller's method becomes a label", "METHODS.has(method) || method === OTHER_METHOD", "true"],
    ["a request that has ended counts as one that waits", "this.#addActive(method, -1);", ""],
    ["codes share a series", " && series.error === error", ""],
    ["the first of a series is not counted", "      histogram.observe(seconds);\n      ofRoute", "      ofRoute"],
  ],
};
