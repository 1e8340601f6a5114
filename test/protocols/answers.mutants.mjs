/** Mutants of `src/protocols/answers.ts`. */
export default {
  tests: ["test/protocols/answers", "test/protocols/adopt"],
  deno: true,
  mutants: [
    [
      "a protocol's own reading comes first",
      "answer(frameText(frame)) ?? protocol.decode(frame, connection)",
      "protocol.decode(frame, connection)",
    ],
    [
      "an escape hides a placeholder of the upstream's",
      "escapeDeferred(unescaped(value))",
      "escapeDeferred(value)",
      { tests: ["test/contract/placeholders"] },
    ],
    ["texts in JSON are not escaped", "JSON.stringify(found).slice(1, -1)", "found"],
    ["the upstream's id is replaced", "one !== undefined && one.own ===", "one !== undefined || one ==="],
    ["a demanded id is replaced", "...demandedPlaces(rule)]", "]"],
    ["the upstream brings placeholders", "=== undefined ? [] : undefined)", "=== undefined ? [] : [])"],
    [
      "a quoted text is read for groups",
      "answer.placeholder(token.of, token.source)",
      "answer.literal(inText(token.text))",
    ],
    ["a demanded id that is quoted is replaced", "messageText(unquoted(send))", "messageText(send)"],
    ["groups of the id are unknown", "&& `$${name}` !== ID", ""],
  ],
};
