/** Mutants of `src/runtime/deno.thread.ts`. */
export default {
  tests: ["test/contract/exit"],
  deno: true,
  mutants: [
    [
      "the lock is not held",
      "return new Promise(() => {});",
      "return Promise.resolve();",
      { tests: ["test/faults/rows-38"] },
    ],
  ],
};
