/** Mutants of `src/core/cluster/log-fold.ts`. */
export default {
  tests: ["test/core/cluster/log.test"],
  deno: true,
  mutants: [
    ["a replaced owner still writes", "if (batch.term < this.#term) {", "if (batch.term < 0) {"],
    ["a log without a beginning is read for ever", "!this.#missed.has(seq) && ", ""],
    [
      "an entry of the lost log begins its epoch again",
      "isNew && isNext && this.#epoch !== undefined && !batch.life && batch.term === this.#term",
      "false",
    ],
    [
      "a term that was appended twice begins twice",
      "if (!isNew && batch.life && batch.term === this.#term) return [];",
      "",
    ],
    [
      "an entry that was appended twice is there twice",
      "if (number !== this.#places.get(item.journal)?.next) continue;",
      "",
    ],
    ["no gap stands where a term begins", "isNew ? [] : this.places", "isNew ? this.places : []"],
    ["the numbers of a log run out", "|| next > LAST_NUMBER ?", "?"],
    ["a term of a clock that is behind gives numbers again", "Math.max(place?.next ?? 1, first)", "first"],
    ["a hole is not told", "this.#holes++;", ""],
    ["a log may become shorter", "&& last >= this.#position;", ";"],
    ["a log may have another life", "this.#life === undefined || this.#life === life", "life !== undefined"],
    ["the epoch of a lost log is used again", "this.#lost.has(epoch) || ", ""],
    [
      "the epoch of a log that is lost again is used again",
      "if (this.#epoch !== undefined) this.#lost.add(this.#epoch);",
      "this.#lost.clear();\n    this.#lost.add(String(this.#epoch));",
    ],
    ["a journal that was closed goes on", "known?.epoch !== place.epoch", "known === undefined"],
  ],
};
