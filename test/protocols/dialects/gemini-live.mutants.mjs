/** Mutants of `src/protocols/dialects/gemini-live.ts`. */
export default {
  tests: ["test/contract/gemini-live"],
  mutants: [
    ["a call of tools does not end its reply", "final: [END, TOOL_CALL]", "final: [END]"],
    ["a turn that nobody asked for costs the connection", "{ unprompted: true }", "{ unprompted: false }"],
    ["a message that has no reply waits for one", "if (matchesFrame(message, PROMPTS))", "if (encoded)"],
    ["the session starts over", "keep: true,", "keep: false,"],
  ],
};
