/** Mutants of `src/protocols/nats-frame.ts`. */
export default {
  tests: ["test/protocols/nats-frame"],
  mutants: [
    ["a cut message passes", "if (end + 2 > bytes.length) return CUT;", ""],
    ["the end of a message is not looked at", "bytes[end] !== 13 || bytes[end + 1] !== 10", "false"],
    ["the last of several headers counts", "if (values) values.push(value);", "if (false) {}"],
    ["headers may be longer than their message", "if (headSize > size)", "if (false)"],
    ["a status is left out", "status === undefined ? undefined : Number(status)", "undefined"],
  ],
};
