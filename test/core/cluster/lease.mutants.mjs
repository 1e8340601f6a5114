/** Mutants of `src/core/cluster/lease.ts`. */
export default {
  tests: ["test/simulation/cluster"],
  deno: true,
  mutants: [
    ["there is no margin", "margin: lease / 3,", "margin: 0,"],
    [
      "the wall clock does not end a lease",
      "Math.max(now.ms - since.ms, now.wallMs - since.wallMs)",
      "now.ms - since.ms",
    ],
    ["contact of any age is enough to replace somebody", "sure: 1.5 * beat", "sure: 2 * lease"],
  ],
};
