/** Mutants of `src/core/cluster/read-places.ts`. */
export default {
  tests: ["test/core/cluster/read-places"],
  mutants: [
    ["every log has all places", "this.#free -= taken;", ""],
    ["places are not given back", "this.#free += taken;", ""],
  ],
};
