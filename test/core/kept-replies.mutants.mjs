/** Mutants of `src/core/kept-replies.ts`. */
export default {
  tests: ["test/core/kept-replies"],
  deno: true,
  mutants: [
    ["a failure that the owner may know better is held", "|| (kept.isShared && !isCertain)", ""],
    ["a reply that replicas share is forgotten here", "(kept.isShared && !isCertain)", "kept.isShared"],
    ["an ended reply is kept one millisecond too long", "< this.#bounds.keep", "<= this.#bounds.keep"],
    ["a late reply ages from its timeout", "kept.agingSince = now;", "kept.agingSince ??= now;"],
    [
      "a late reply keeps its place in the eviction order",
      "this.#leaveAging(kept);\n      this.#aging[",
      "this.#aging[",
    ],
    ["a key is evicted to make room", 'this.#aging[this.#hasKey(kept) ? "keyed" : "free"]', 'this.#aging["free"]'],
    ["the id of a failure weighs nothing", "return own.length + upstreamError", "return upstreamError"],
    ["a late failure keeps its texts", "failed: bare(state.failed) }", "failed: state.failed }"],
    ["an evicted reply comes back", "if (this.#byId.get(kept.id) === kept) {", "if (now >= 0) {"],
    ["evicting an older reply releases the key of a newer one", "?.id === id", "?.id !== undefined"],
    ["an unsent request cannot be retried", "if (isUnsent(outcome) ||", "if ("],
    ["an evicted reply still counts", "this.#leaveAging(kept);\n    this.#weigh(kept, 0);", "this.#leaveAging(kept);"],
    ["bytes have no bound", "this.#bytes <= this.#bytesMax", "this.#bytes >= 0 * this.#bytesMax"],
    ["the count allows one too many", "this.#byId.size >= this.#bounds.count", "this.#byId.size > this.#bounds.count"],
    ["eviction does not notify watchers", "failure.sent };\n    notifyWatchers(kept);", "failure.sent };"],
    [
      "an outcome does not notify watchers",
      "notifyWatchers(kept);\n    this.#discardReplies();",
      "this.#discardReplies();",
    ],
  ],
};
