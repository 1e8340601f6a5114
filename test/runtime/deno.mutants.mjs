/** Mutants of `src/runtime/deno.ts`. */
export default {
  tests: ["test/contract/exit"],
  deno: true,
  mutants: [
    [
      "Deno's exit event is trusted",
      "await holdLock(lock, async () => {});",
      "void holdLock(lock, async () => {});",
      { tests: ["test/runtime/deno-thread"] },
    ],
  ],
};
