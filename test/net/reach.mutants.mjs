/** Mutants of `src/net/reach.ts`. */
export default {
  tests: ["test/faults/tunnel-proxy"],
  deno: true,
  mutants: [
    [
      "a silent proxy's connection stays",
      'socket.on("error", () => {});\n    socket.destroy();',
      'socket.on("error", () => {});',
    ],
    ["a step that has not ended has no name", "waitsFor = `the proxy ${shown} has not answered`;", ""],
    ["an endless answer is awaited", "if (heard.length < ANSWER_MAX) return;", "return;"],
  ],
};
