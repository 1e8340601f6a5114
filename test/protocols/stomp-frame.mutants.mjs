/** Mutants of `src/protocols/stomp-frame.ts`. */
export default {
  tests: ["test/protocols/stomp-frame"],
  mutants: [
    ["the last of several headers counts", "if (!headers.has(name)) headers.set", "headers.set"],
    ["colons are not escaped", "text.replace(/[\\\\\\r\\n:]/g", "text.replace(/[\\\\\\r\\n]/g"],
    [
      "a length counts characters",
      "left -= code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;",
      "left -= 1;",
    ],

    ["a heartbeat is a frame", "for (let at = afterLineEnds(text, 0); at", "for (let at = 0; at"],
  ],
};
