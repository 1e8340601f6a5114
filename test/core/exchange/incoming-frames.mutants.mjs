/** Mutants of `src/core/exchange/incoming-frames.ts`. */
export default {
  tests: ["test/core/exchange/exchange-frames", "test/core/exchange/exchange-configured"],
  deno: true,
  mutants: [
    ["an acknowledgement proves nothing", "if (entry) entry.phase.acknowledged = true;", ""],
    ["an error without an id fails all requests", 'fails === "all" ? sent : sent.slice(0, 1)', "sent"],
    ["the reply to a frame of the configuration is a message", "if (!isReply || configured.answered) {", "{"],
    [
      "an alias is not learned",
      "correlation.learn(connection, decoded.id, decoded.alias);",
      "",
      { tests: ["test/core/exchange/exchange-alias"] },
    ],
    [
      "one of several conditions ends a reply",
      "return phase.met === all ? end : decoded;",
      "return all > 0 ? end : decoded;",
      { tests: ["test/core/exchange/exchange-alias"] },
    ],
    [
      "a late rest has met nothing",
      "entry?.phase ?? correlation.owed(given.id)",
      "entry?.phase",
      { tests: ["test/core/exchange/exchange-alias"] },
    ],
  ],
};
