/** Mutants of `src/service/signals.ts`. */
export default {
  tests: ["test/contract/exit", "test/contract/signals", "test/service/signals"],
  mutants: [
    ["a signal that is delivered twice forces the exit", "if (now < wishEndsAt) {", "if (false) {"],
    ["no later signal forces the exit", "wishEndsAt = now + SAME_WISH_MS;", "wishEndsAt = Number.POSITIVE_INFINITY;"],
    [
      "the second half of a second wish has its default effect",
      "if (leftMs > 0) setTimeout(remove, leftMs).unref();",
      "if (leftMs > 0) remove();",
    ],
    ["the second signal is ignored", "exit({ cause: signal, force });", "exit({ cause: signal });"],
    ["the first signal forces the exit", "exit({ cause: signal, force });", "exit({ cause: signal, force: true });"],
    ["a closed window leaves the service behind", "terminals.every(isTerminal)", "true"],
    ["the third signal is ignored", "if (force) giveBack();", "", { tests: ["test/faults/rows-42"] }],
  ],
};
