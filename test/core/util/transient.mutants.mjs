/** Mutants of `src/core/util/transient.ts`. */
export default {
  tests: ["test/core/util/transient"],
  mutants: [
    ["a map is never begun anew", "this.#map = new Map(this.#map);", ""],
    ["a set is never begun anew", "this.#set = new Set(this.#set);", ""],
    ["a map that is begun anew is empty", "this.#map = new Map(this.#map);", "this.#map = new Map();"],
    ["a set that is begun anew is empty", "this.#set = new Set(this.#set);", "this.#set = new Set();"],
  ],
};
