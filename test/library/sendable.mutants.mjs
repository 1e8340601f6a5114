/** Mutants of `src/library/sendable.ts`. */
export default {
  tests: ["test/contract/async-upstream"],
  mutants: [
    ["a promise is sent as {}", 'text === "{}" && !isPlain(message)', "false"],
    ["numbers of a Uint16Array are sent as an object", " && !ArrayBuffer.isView(message)", ""],
  ],
};
