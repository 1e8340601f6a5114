/** Mutants of `src/sidecar/host/journal-pulls.ts`. */
export default {
  tests: ["test/sidecar/host/journal-reader"],
  deno: true,
  mutants: [
    ["a reader joins a pull that is ahead of it", " || shared.from.seq > from.seq", ""],
    ["every reader has its own pull", "if (!shared) {", "if (!shared || shared) {"],
    ["an abandoned pull stays", "this.#cancel(joined.seq);", ""],
    [
      "a restarted thread receives no pulls",
      "for (const { command } of this.#pulls.values()) this.#post(command);",
      "",
    ],
    ["the exit does not notify readers", "for (const onEnd of readers) onEnd(end);", ""],
    ["the end of a journal does not notify its readers", "for (const reader of [...readers]) reader.end(end);", ""],
    ["an answered pull is repeated", "this.#pulls.delete(seq);\n    if (typeof", "if (typeof"],
  ],
};
