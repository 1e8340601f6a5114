/** Mutants of `src/core/connection/signs-of-life.ts`. */
export default {
  tests: ["test/core/connection/signs-of-life"],
  deno: true,
  mutants: [
    ["a frame from before the request counts as one since", "frameAt >= sentAt", "frameAt >= 0"],
    ["a connection's record outlives it", "this.#of.delete(connection);", ""],
    ["a peer that gets no pings is blamed for no pongs", 'pings ? " and no pong" : ""', '" and no pong"'],
  ],
};
