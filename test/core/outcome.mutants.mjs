/** Mutants of `src/core/outcome.ts`. */
export default {
  tests: ["test/core/kept-replies"],
  deno: true,
  mutants: [
    ["one unsent item frees the whole batch", "outcome.items.every(isUnsent)", "outcome.items.some(isUnsent)"],
    ["a batch's sent notification counts as unsent", "outcome.done === 0 && ", ""],
  ],
};
