/** Mutants of `src/commands/played-connections.ts`. */
export default {
  tests: ["test/contract/check-protocol"],
  mutants: [
    ["no tick is due", "if (!next || next[1] > at) break;", "break;"],
    ["a tick comes too soon", "next[1] > at", "next[1] < at"],
    ["connections that the recording leaves open do not end", "if (this.end(connection)) yield connection;", ";"],
  ],
};
