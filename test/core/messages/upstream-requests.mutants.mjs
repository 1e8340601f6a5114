/** Mutants of `src/core/messages/upstream-requests.ts`. */
export default {
  tests: ["test/core/messages/upstream-requests"],
  mutants: [
    ["a reply that was given is wanted", "this.#isReplied = true;", ""],
    ["a reply that was given is lost with its connection", 'if (this.#isReplied) return "given";', ""],
    ["a request outlives its connection", "if (peer) peer.isThere = false;", ""],
    ["each request has a connection of its own", "this.#peers.set(connection, peer);", ""],
  ],
};
