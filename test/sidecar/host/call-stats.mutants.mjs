/** Mutants of `src/sidecar/host/call-stats.ts`. */
export default {
  tests: ["test/sidecar/host/call-stats"],
  mutants: [
    ["a refusal has a duration", 'sent !== "no" && ', ""],
    ["only the first of each failure counts", "known.count++", "known.count"],
    ["failures count by code alone", "`${code} ${sent}`", "code"],
  ],
};
