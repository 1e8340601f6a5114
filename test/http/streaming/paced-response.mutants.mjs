/** Mutants of `src/http/streaming/paced-response.ts`. */
export default {
  tests: ["test/contract/messages"],
  mutants: [
    ["a stream has no last chunk", "if (inChunks) outgoing.write(LAST_CHUNK);", ""],
    [
      "a stream waits for a drain that does not come",
      "if (this.#rest.length > 0 || this.room <= 0) {",
      "{",
      { tests: ["test/limits/large-replies"] },
    ],
  ],
};
