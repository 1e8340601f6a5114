/** Mutants of `src/core/util/budget.ts`. */
export default {
  tests: ["test/core/util/budget"],
  deno: true,
  mutants: [
    ["a side counts in its total only", "cells[at] = (cells[at] as number) + bytes;", "void at;"],
    ["only one side counts", "at += COLUMNS) total", "at += cells.length) total"],
    ["a large message passes like a small one", "size <= SMALL_BYTES", "size > 0"],
    ["what is alone must fit, too", "if (present <= 0) return true;", ""],
    ["an account has no part", "present + bytes <= this.partOf(account) && ", ""],
    ["messages without room are not counted", "if (!hasRoom) this.#turnedAway++;", ""],
    ["readiness goes first", "ready: 0.95", "ready: 0.5"],
  ],
};
