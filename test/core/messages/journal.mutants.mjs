/** Mutants of `src/core/messages/journal.ts`. */
export default {
  tests: ["test/core/messages/journal"],
  deno: true,
  mutants: [
    ["a gap counts one too few", "this.#oldest - 1 - place;", "this.#oldest - 2 - place;"],
    ["an unknowable count is reported", "place < this.#newestEvictedGap", "place < 0 * this.#newestEvictedGap"],
    ["a count stays unknown", "place < this.#newestEvictedGap", "place <= this.#newestEvictedGap"],
    ["a cursor of another epoch is accepted", "if (after.epoch === this.epoch)", 'if (after.epoch !== "")'],
    [
      "a crash is reported as an ordinary gap",
      "const crashed = this.#formerEpochs.includes(after.epoch);",
      "const crashed = this.#formerEpochs.length < 0;",
    ],
    ["a cursor beyond the newest message is accepted", "if (from.place > this.#newest) return undefined;", ""],
    ["bytes have no bound", "this.#bytes + ENTRY_BYTES + length > bytes", "bytes < 0"],
    ["the count has no bound", "this.size >= count ||", "this.size > count ||"],
    ["evicted messages still count", "this.#bytes -= sizeOf(entry);", ""],
    ["a message larger than a page is never delivered", "isSelected && bytes > 0 && bytes", "isSelected && bytes"],
    ["a page has no bound in bytes", "bytes + size > PAGE_BYTES", "bytes + size < PAGE_BYTES * 0"],
    ["a page holds one message too many", "entries.length < limit", "entries.length <= limit"],
    ["a filter scans the whole journal at once", "scanned < SCAN_BYTES", "scanned < SCAN_BYTES * 1e9"],
    [
      "a filter hides gaps",
      "let isSelected: boolean | undefined = true;",
      'let isSelected: boolean | undefined = !(where && "gap" in stored);',
    ],
    ["a filter examines what it knows", "isSelected = known ?? where", "isSelected = where"],
    [
      "a filter never moves past rejected messages",
      "next++;\n      if (!isSelected) continue;",
      "if (!isSelected) continue;\n      next++;",
    ],
    [
      "entries stay at their places in a ring of another size",
      "kept[place % bounds.count]",
      "kept[place % this.#bounds.count]",
    ],
    ["other bounds count from the next message on", "this.size > bounds.count || this.#bytes > bounds.bytes", "false"],
    ["a skipped number stands for the entry behind the gap", "Math.min(seq - before, place - 1)", "seq - before"],
    ["a page says a place for a number", "next: this.#seqAt(next)", "next"],
    [
      "numbers that were skipped before the oldest entry are forgotten",
      "      this.#skippedBefore += jump.skipped;\n",
      "",
    ],
    [
      "a skipped number has the request in front of it",
      'if ("gap" in entry || entry.seq !== seq)',
      'if ("gap" in entry)',
    ],
    ["a gap before the first message is dated 1970", "oldest?.at ?? this.#startedAt", "0"],
  ],
};
