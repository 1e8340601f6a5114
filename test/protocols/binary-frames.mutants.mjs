/** Mutants of `src/protocols/binary-frames.ts`. */
export default {
  tests: ["test/protocols/binary-frames", "test/contract/bytes"],
  mutants: [
    [
      "bytes that come while nobody waits are lost in a reply",
      'otherwise: { type: "message" } }',
      'otherwise: { type: "noise", why: "" } }',
    ],
    ["bytes are parts of replies though nobody said so", 'if (!isPart) return { type: "message" };', "void isPart;"],
    [
      "bytes are read as JSON",
      'if (typeof frame === "string" || binary',
      'if (typeof frame === "string" || frame.length > 0 || binary',
    ],
  ],
};
