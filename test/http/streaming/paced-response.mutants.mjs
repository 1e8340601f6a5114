/** Mutants of `src/http/streaming/paced-response.ts`. */
export default {
  tests: ["test/contract/messages"],
  mutants: [
    ["a stream has no last chunk", "Buffer.concat([chunk, LAST_CHUNK])", "chunk"],
    ["a reader that has read is not noticed", 'socket.once("drain", onDrain);', ""],
    [
      "a large piece that is taken at once is followed by no drain",
      "chunk.length > DIRECT_BYTES || ",
      "",
      { tests: ["test/limits/large-replies"] },
    ],
    [
      "a stream waits for a drain that does not come",
      "if (this.#rest.length > 0 || this.room <= 0) {",
      "{",
      { tests: ["test/limits/large-replies"] },
    ],
  ],
};
