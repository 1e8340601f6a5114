/** Mutants of `src/core/messages/journal.ts`. */
export default {
  tests: ["test/core/messages/journal"],
  deno: true,
  mutants: [
    ["a gap counts one too few", "this.#oldest - 1 - seq;", "this.#oldest - 2 - seq;"],
    ["an unknowable count is reported", "seq < this.#uncounted", "seq < 0 * this.#uncounted"],
    ["a count stays unknown", "seq < this.#uncounted", "seq <= this.#uncounted"],
    ["a cursor of another epoch is accepted", "if (after.epoch === this.epoch)", 'if (after.epoch !== "")'],
    [
      "a crash is reported as an ordinary gap",
      "const crashed = this.#former.includes(after.epoch);",
      "const crashed = this.#former.length < 0;",
    ],
    ["a cursor beyond the newest message is accepted", "if (from.seq > this.#newest) return undefined;", ""],
    ["bytes have no bound", "this.#bytes + ENTRY_BYTES + length > bytes", "bytes < 0"],
    ["the count has no bound", "this.size >= count ||", "this.size > count ||"],
    ["evicted messages still count", "this.#bytes -= sizeOf(entry);", ""],
    ["a message larger than a page is never delivered", "wanted && bytes > 0 && bytes", "wanted && bytes"],
    ["a page has no bound in bytes", "bytes + size > PAGE_BYTES", "bytes + size < PAGE_BYTES * 0"],
    ["a page holds one message too many", "entries.length < limit", "entries.length <= limit"],
    ["a filter scans the whole journal at once", "scanned < PAGE_SCAN", "scanned < PAGE_SCAN * 1e9"],
    [
      "a filter hides gaps",
      '"gap" in entry || where === undefined || where(entry)',
      'where === undefined || (!("gap" in entry) && where(entry))',
    ],
    [
      "a filter never moves past rejected messages",
      "next++;\n      if (!wanted) continue;",
      "if (!wanted) continue;\n      next++;",
    ],
    [
      "an outage leaves no gap",
      'this.#mark(at, { dropped: null, reason: "away", from, to: at, why });',
      "void [from, at, why];",
    ],
    ["a gap precedes the first connection", "if (this.#live) this.#away", "this.#live ||= true;\n    this.#away"],
    [
      "a lasting outage is reported once",
      "this.#away = { from: at, why };\n  }\n\n  /** There is",
      "}\n\n  /** There is",
    ],
    ["a gap before the first message is dated 1970", "oldest?.at ?? this.#began", "0"],
  ],
};
