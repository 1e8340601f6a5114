/** Mutants of `src/net/connect.ts`. */
export default {
  tests: ["test/net/connect"],
  deno: true,
  mutants: [
    ["the losing sockets stay open", "for (const socket of sockets.values()) socket.destroy();", ""],
    ["the winner is closed with the others", "sockets.delete(effect.address);\n          leave();", "leave();"],
    ["the lookup goes on behind the end", "    stopResolving();\n", ""],
    ["differing errors are not named", "reasons.values()).size <= 1", "reasons.values()).size <= 9"],
  ],
};
