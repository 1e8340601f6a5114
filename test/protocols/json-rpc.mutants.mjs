/** Mutants of `src/protocols/json-rpc.ts`. */
export default {
  tests: ["test/core/exchange/exchange", "test/protocols/json-rpc", "test/protocols/send-ids"],
  deno: true,
  mutants: [
    ["a response gets an id of ours", "if (responds) return { frame: text, expectsReply: false };", ""],
    ["a request with a result is a response", "fields.method === undefined && (", "("],
    ["a response may be requested", 'isResponse && route === "request"', "false"],
    ["a request with the id null wants a reply", 'kind === "string" || kind === "number"', "kind !== undefined"],
    ["a notification wants a reply", "isAnswerable(text, span) && {", "!isAnswerable(text, span) && {"],
    ["a reply has a result and an error", "more.length > 0 || ", ""],
    [
      "a reply has any error",
      '(given?.name === "error" && kindOf(text, given.value) === "object")',
      'given?.name === "error"',
    ],
    ["the caller's id goes on the wire", "frame: replace(text, span, String(id))", "frame: text"],
    ["a batch is taken apart to its end", "if (items.length === max) break;", ""],
    ["ids are collected of a batch that is too large", "items.length > itemsMax || ", ""],
    [
      "the reply keeps our wire id",
      'typeof own === "string" ? replace(text, span, own)',
      'typeof own === "string" ? text',
    ],
  ],
};
