/** Mutants of `src/protocols/json-option.ts`. */
export default {
  tests: ["test/protocols/dialects"],
  mutants: [
    ["any JSON but null is an object", ' === "object"', ' !== "null"'],
    ["an option may nest as deep as a message", "MAX_MESSAGE_DEPTH - 8", "MAX_MESSAGE_DEPTH"],
  ],
};
