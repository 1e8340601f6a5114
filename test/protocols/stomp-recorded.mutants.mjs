/** Mutants of `src/protocols/stomp-recorded.ts`. */
export default {
  tests: ["test/protocols/stomp-recorded"],
  mutants: [
    ["the name of a login is shown", 'name === "login" || ', ""],
    ["other headers of a login are shown", " || (isLogin && !OPEN_OF_LOGIN.has(name))", ""],
    ["bodies are shown", "const hidden = maskText(body, secrets);", "const hidden = body;"],
    ["the length is that before", "hidden !== body && ", "hidden === body && "],
    ["a client's length is of one run", 'command === "MESSAGE" || ', "true || "],
    ["a frame without secrets is written anew", "if (masked === written) return frame;", ""],
  ],
};
