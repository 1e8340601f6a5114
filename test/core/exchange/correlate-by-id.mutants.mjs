/** Mutants of `src/core/exchange/correlate-by-id.ts`. */
export default {
  tests: ["test/core/exchange/exchange", "test/core/exchange/lane"],
  deno: true,
  mutants: [
    ["an id in flight is reused", "isInFlight(this.#last) || ", ""],
    ["an id whose reply may still arrive is reused", " || this.#buried.has(this.#last)", ""],
    ["a timed-out request leaves no tombstone", "this.#buried.set(id, phase);", ""],
    [
      "tombstones are never dropped",
      "this.#buried.size > this.#buriedMax",
      "this.#buried.size < 0",
      { tests: ["test/core/exchange/exchange-ids"] },
    ],
    [
      "a repeated late reply counts each time",
      "if (!this.#buried.delete(id)) return false;",
      "if (!this.#buried.has(id)) return false;",
    ],
    ["ids never wrap around", "this.#last >= this.#maxId ? 1 : this.#last + 1", "this.#last + 1"],
    [
      "every id may be in flight at once",
      "this.capacity = maxId - half;",
      "this.capacity = maxId;",
      { tests: ["test/core/exchange/exchange-ids"] },
    ],
    ["a timed-out request is not remembered", "this.#ids.bury(wire, phase);", "void wire;"],
    [
      "the rest of a reply has its alias after its end",
      "if (wire !== undefined) this.#aliases.forget(wire);",
      "void wire;",
      { tests: ["test/core/exchange/exchange-alias"] },
    ],
    [
      "an alias outlives the late rest of its reply",
      "    this.#unearthed(id);\n",
      "",
      { tests: ["test/core/exchange/exchange-alias"] },
    ],
    [
      "an entry of an older connection cancels another one's reply",
      "this.#ids.phaseOf(wire) === phase",
      "this.#ids.isBuried(wire)",
      { tests: ["test/core/exchange/exchange-alias"] },
    ],
    [
      "an alias that comes after the end cancels",
      "this.#aliases.forget(wire);\n    this.#uncancelled.delete(wire);",
      "this.#aliases.forget(wire);",
      { tests: ["test/core/exchange/exchange-alias"] },
    ],
    ["a caller may reuse an id whose reply may still arrive", " || this.#ids.isBuried(wire)", ""],
    ["an older connection frees an id of the newest", 'if (this.#callers && !newest) return "unclaimed";', ""],
    [
      "an older connection's tombstone blocks an id on the newest",
      "(newest || !this.#callers)",
      "(newest || wire !== undefined)",
    ],
    ["a caller's id is never released", "if (this.#callers) this.#ids.forget();", "void this.#callers;"],
    [
      "one part of a late reply counts as the whole",
      "last ? this.#ids.exhume(wire)",
      "last || !last ? this.#ids.exhume(wire)",
    ],
  ],
};
