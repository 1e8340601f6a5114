/** Mutants of `src/core/kept-replies.ts`. */
export default {
  tests: ["test/core/kept-replies"],
  deno: true,
  mutants: [
    ["an ended reply is kept one millisecond too long", "< this.#bounds.keep", "<= this.#bounds.keep"],
    ["a late reply ages from its timeout", "kept.agingSince = now;", "kept.agingSince ??= now;"],
    [
      "a late reply keeps its place in the eviction order",
      "this.#aging.delete(kept);\n      this.#aging.add",
      "this.#aging.add",
    ],
    ["an evicted reply comes back", "if (this.#byId.get(kept.id) === kept) {", "if (now >= 0) {"],
    ["evicting an older reply releases the key of a newer one", " && this.#byKey.get(kept.key) === kept", ""],
    [
      "an unsent request cannot be retried",
      "if (isUnsent(outcome)) this.#releaseKey(kept);",
      "if (isUnsent(outcome)) void kept;",
    ],
    ["an evicted reply still counts", "this.#bytes -= sizeOf(kept.state);", ""],
    ["bytes have no bound", "this.#bytes <= this.#bounds.bytes", "this.#bytes >= 0 * this.#bounds.bytes"],
    ["the count allows one too many", "this.#byId.size >= this.#bounds.count", "this.#byId.size > this.#bounds.count"],
    [
      "eviction does not notify watchers",
      'kept.state = { phase: "dropped" };\n    notifyWatchers(kept);',
      'kept.state = { phase: "dropped" };',
    ],
    [
      "an outcome does not notify watchers",
      "notifyWatchers(kept);\n    this.#discardReplies();",
      "this.#discardReplies();",
    ],
  ],
};
