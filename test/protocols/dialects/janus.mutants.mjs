/** Mutants of `src/protocols/dialects/janus.ts`. */
export default {
  tests: ["test/protocols/dialects"],
  mutants: [
    ["an acknowledgement is the reply", 'skip: [kind("ack")],', ""],
    ["a caller ends the session of all", 'kind(CREATE, "destroy", "claim")', 'kind("claim")'],
    ["messages have no session", '"/session_id": "${conn:session}", ...', "..."],
    ["the login is only for the first message", "...Object.fromEntries(added)", ""],
  ],
};
