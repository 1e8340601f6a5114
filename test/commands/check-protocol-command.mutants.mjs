/** Mutants of `src/commands/check-protocol-command.ts`. */
export default {
  tests: ["test/contract/check-protocol"],
  mutants: [
    ["faults do not count", "counts.faults === 0 ? 0 : FAULTY", "0"],
    ["what cannot be used is noise", "UNUSABLE.test(result.why)", "false"],
    ["frames of the client are decoded, too", 'if (entry.event === "received") {', 'if ("frame" in entry) {'],
  ],
};
