/** Mutants of `src/protocols/json-rpc.ts`. */
export default {
  tests: ["test/core/exchange/exchange", "test/protocols/json-rpc"],
  deno: true,
  mutants: [
    ["the caller's id goes on the wire", "frame: replace(text, span, String(id))", "frame: text"],
    [
      "the reply keeps our wire id",
      'typeof own === "string" ? replace(text, span, own)',
      'typeof own === "string" ? text',
    ],
  ],
};
