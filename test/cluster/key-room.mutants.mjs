/** Mutants of `src/cluster/key-room.ts`. */
export default {
  tests: ["test/cluster/key-room"],
  mutants: [
    ["a member takes all that is free", "const SHARE = 32;", "const SHARE = 1;"],
    ["a count holds for ever", "|| now >= this.#until", ""],
    ["a share may be none", "Math.max(1, Math.floor(free / SHARE))", "Math.floor(free / SHARE)"],
    ["keys on their way are not counted", " - unseen;", ";"],
    ["a place is taken twice", "this.#allowed--;", ""],
    ["a full bucket takes a key", "free > 0 ? Math.max", "true ? Math.max"],
  ],
};
