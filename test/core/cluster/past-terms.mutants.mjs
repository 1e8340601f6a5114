/** Mutants of `src/core/cluster/past-terms.ts`. */
export default {
  tests: ["test/core/cluster/past-terms"],
  mutants: [
    ["the last time that a release is heard counts", "if (map.has(key)) return;", ""],
    ["nothing is forgotten", "map.delete(oldest);", "return;"],
    ["the newest is forgotten", "map.delete(oldest);", "map.delete(key);"],
  ],
};
