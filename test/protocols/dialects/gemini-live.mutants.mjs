/** Mutants of `src/protocols/dialects/gemini-live.ts`. */
export default {
  tests: ["test/contract/gemini-live", "test/protocols/dialects"],
  mutants: [
    ["a call of tools does not end its reply", "final: [END, TOOL_CALL]", "final: [END]"],
    ["a turn that nobody asked for costs the connection", "{ unprompted: true }", "{ unprompted: false }"],
    ["a message that has no reply waits for one", "if (isPrompt) return", "if (isPrompt || message.length > 0) return"],
    ["a prompt is sent without waiting for its turn", 'isPrompt && route === "send"', "false"],
    [
      "a turn that was interrupted seems to be whole",
      '"/serverContent/interrupted": true',
      '"/serverContent/other": true',
    ],
    ["the session starts over", "keep: true,", "keep: false,"],
  ],
};
