/** Mutants of `src/protocols/dialects/openai-realtime.ts`. */
export default {
  tests: ["test/contract/openai-realtime", "test/protocols/dialects/realtime"],
  mutants: [
    ["the id of a sent event is lost", 'if (route === "send") return { frame: message, expectsReply: false };', ""],
    ["other events wait for a reply", "if (!matchesFrame(message,", "if (false && !matchesFrame(message,"],
    [
      "the beginning of a response is its reply",
      'final: [{ match: { "/type": "response.done" } }',
      'final: [{ match: { "/type": "response.created" } }',
    ],
    ["a caller who leaves cancels nothing", "alias === undefined ? undefined", "alias !== undefined ? undefined"],
    ["a response that failed seems to be whole", "matchesFrame(frame, CUT_SHORT)", "false"],
    ["audio of a response is not passed on", "matchesFrame(frame, AUDIO)", "false"],
  ],
};
