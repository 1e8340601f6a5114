/** Mutants of `src/commands/listen-command.ts`. */
export default {
  tests: ["test/contract/listen"],
  mutants: [
    ["the cursor is not kept", "cursor?.reached(message.cursor);", ""],
    [
      "a reader that leaves is a failure",
      "if (error instanceof Unread) return",
      "if (error instanceof TypeError) return",
    ],
    ["a service is given up soon", "const RESUME_MS = 2 ** 31 - 1;", "const RESUME_MS = 1;"],
    ["the end of the service is success", "left <= 0 || stopping.aborted ? undefined : SOURCE_ENDED", "undefined"],
  ],
};
