/** Mutants of `src/protocols/nats-recorded.ts`. */
export default {
  tests: ["test/protocols/nats-recorded"],
  mutants: [
    ["headers with the name of a secret are shown", "maskHeaderLines(text)", "text"],
    ["a payload is not masked as JSON", "payload: mask(content.payload)", "payload: content.payload"],
    ["an UNSUB is of one run", "return [kind, NAME, ...words.slice(1)]", "return [kind, ...words]"],
    ["a sid is compared", "const isSid = namesSid && at", "const isSid = false && at"],
    [
      "a subject is renamed like a sid",
      "isOfRun(subject) ? (names.get(subject) ?? subject) : subject",
      "(names.get(subject) ?? subject)",
    ],
    ["a sid is sent as it was", "names.get(sid) ?? sid", "sid"],
  ],
};
