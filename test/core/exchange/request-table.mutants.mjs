/** Mutants of `src/core/exchange/request-table.ts`. */
export default {
  tests: ["test/core/exchange/exchange", "test/core/exchange/lane"],
  deno: true,
  mutants: [
    [
      "a reply settles a request that another connection sent",
      "entry !== undefined && isSentOn(connection, entry) ? entry : undefined",
      "entry !== undefined && isSent(entry) ? entry : undefined",
    ],
    ["an ended request stays in the table", "this.#byWire.delete(entry.wire);", ""],
    ["ending an item removes its first sibling", "siblings?.indexOf(entry) ?? -1", "0"],
    [
      "sent bytes still count as waiting",
      "if (this.#held[entry.request.owner].delete(entry)) this.#heldBytes -= entry.phase.bytes;",
      "this.#held[entry.request.owner].delete(entry);",
    ],
  ],
};
