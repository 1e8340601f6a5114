/** Mutants of `src/recording/recorder.ts`. */
export default {
  tests: ["test/recording/recorder"],
  mutants: [
    ["there is no place for the last line", "- LAST_LINE_BYTES;", "+ LAST_LINE_BYTES;"],
    [
      "a line that does not fit is written",
      'if (this.#left < 0) this.#stop("bytes");',
      'if (this.#left < -500) this.#stop("bytes");',
    ],
    ["the times follow the system's clock", "Math.max(this.#at, entry.at - this.#began)", "entry.at - this.#began"],
    ["a reader that leaves is not noticed", 'this.#stop("unread");', ""],
  ],
};
