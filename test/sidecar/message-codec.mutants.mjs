/** Mutants of `src/sidecar/message-codec.ts`. */
export default {
  tests: ["test/sidecar/batching"],
  deno: true,
  mutants: [
    ["a key is lost on its way", "if (message.key) row.push(packKeyed(message));\n      else if", "if"],
    ["a deadline with a key stays by the sender's clock", "rest.deadline + skew", "rest.deadline"],
    [
      "a request's bytes are transferred away from the caller",
      'if (message.type === "request") packRequest(message, row, numbers);',
      'if (message.type === "request") {\n transferred(message.body, transfer);\n packRequest(message, row, numbers);\n }',
    ],
    [
      "a number that none has any more goes by another name",
      'this.#numbers.nameOf(value) ?? ""',
      'this.#numbers.nameOf(value) ?? "a"',
    ],
    ["a deadline stays by the sender's clock", "this.number() + this.#skew", "this.number()"],
    [
      "a view transfers its whole buffer",
      "return isWhole ? buffer",
      "return isWhole || buffer instanceof ArrayBuffer ? buffer",
    ],
  ],
};
