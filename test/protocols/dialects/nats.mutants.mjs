/** Mutants of `src/protocols/dialects/nats.ts`. */
export default {
  tests: ["test/protocols/dialects/nats"],
  mutants: [
    ["any subscription brings replies", "sid === INBOX_SID ? (named ?? this.#pulling(reply)) : undefined", "named"],
    ["an echo that is not allowed is a refusal", "if (echo !== undefined) return", "if (echo === 0) return"],
    ["a request has all errors of its subject", "    this.#waiting.delete(id);\n    if", "    if"],
    ["the echo of a refused subscription is a reply", "if (this.#refused.delete(id)) return undefined;", ""],
    ["connections share an inbox", "`${this.#inbox}.${connection}.`", "`${this.#inbox}.1.`"],
    ["the domain is taken for the stream", "tokens.length > 7 ? tokens.slice(2) : tokens", "tokens"],
    ["the largest message is not known", "this.maxPayload = max;", "this.maxPayload = 2 * max;"],
    [
      "headers do not count",
      "const size = frame.length - frame.indexOf(LINE_FEED)",
      "const size = call.payload.length + 3",
    ],
    ["a ping is not answered", 'encoder.encode("PONG\\r\\n")', 'encoder.encode("")'],
    ["a broken INFO is parsed", "if (!isJson(info))", "if (false)"],
  ],
};
