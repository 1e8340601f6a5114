/** Mutants of `src/sidecar/thread/worker.ts`. */
export default {
  tests: ["test/contract/exit"],
  mutants: [
    ["the thread does not end itself", "end(0);", "return;"],
    [
      "a busy thread gets extra time to close",
      "Math.max(0, message.withinMs - delayMs)",
      "Math.max(0, message.withinMs - 0 * delayMs)",
      { tests: ["test/exit/bounds"] },
    ],
  ],
};
