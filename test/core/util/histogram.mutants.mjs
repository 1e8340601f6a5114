/** Mutants of `src/core/util/histogram.ts`. */
export default {
  tests: ["test/core/util/histogram"],
  mutants: [
    ["a duration that is a bound counts above it", "seconds > (BOUNDS[bucket]", "seconds >= (BOUNDS[bucket]"],
    ["the sum is that of the last", "this.#sum += seconds", "this.#sum = seconds"],
    [
      "buckets are not added up",
      "total += this.#counts[bucket] as number;\n      return total",
      "return this.#counts[bucket] as number",
    ],
  ],
};
