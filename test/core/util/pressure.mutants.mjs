/** Mutants of `src/core/util/pressure.ts`. */
export default {
  tests: ["test/core/util/pressure"],
  mutants: [
    ["a step that is left for a moment is reported", "now - this.#calm.since >= CALM_MS", "now >= this.#calm.since"],
    ["a step that is reached again counts as left", "if (reached === this.#reported) this.#calm = undefined;", ""],
  ],
};
