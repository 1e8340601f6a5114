/** Mutants of `src/http/streaming/paced-response.ts`. */
export default {
  tests: ["test/contract/messages"],
  mutants: [["a stream has no last chunk", "if (inChunks) outgoing.write(LAST_CHUNK);", ""]],
};
