/** Mutants of `src/http/call/persisted-queries.ts`. */
export default {
  tests: ["test/http/call/persisted-queries"],
  mutants: [
    ["a document that is used stays the oldest", "this.#documents.delete(hash);", ""],
    ["the number of documents is not bounded", "this.#documents.size <= DOCUMENTS_MAX", "true"],
    ["their bytes are not bounded", "this.#bytes <= BYTES_MAX &&", "true &&"],
    ["a document that is known counts again", "|| this.get(hash) !== undefined", ""],
  ],
};
