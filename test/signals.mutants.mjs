/** Mutants of `src/signals.ts`. */
export default {
  tests: ["test/contract/exit"],
  mutants: [
    ["the second signal is ignored", "exit({ cause: name, force: received > 1 });", "exit({ cause: name });"],
    [
      "the first signal forces the exit",
      "exit({ cause: name, force: received > 1 });",
      "exit({ cause: name, force: true });",
    ],
    ["the third signal is ignored", "if (received === 2) remove();", "", { tests: ["test/faults/rows-42"] }],
  ],
};
