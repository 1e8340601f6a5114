/** Mutants of `src/commands/cursor-file.ts`. */
export default {
  tests: ["test/contract/listen"],
  mutants: [
    ["another file is overwritten", "start !== undefined && parseCursor(start) === undefined", "false"],
    ["the last cursor is not waited for", "await this.#saving;", ""],
    [
      "the file holds the first cursor",
      "cursor !== undefined; cursor = this.#cursor",
      "cursor !== undefined; cursor = undefined",
    ],
  ],
};
