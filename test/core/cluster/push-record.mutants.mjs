/** Mutants of `src/core/cluster/push-record.ts`. */
export default {
  tests: ["test/core/cluster/push-record.test"],
  deno: true,
  mutants: [
    ["two calls are on their way", "return !this.#isCalling && (", "return (("],
    ["each place is written by itself", "this.#isEnding ? now : now + WRITE_EVERY_MS", "now"],
    ["a member that leaves writes later", "this.#isEnding ? now : now + WRITE_EVERY_MS", "now + WRITE_EVERY_MS"],
    ["a member that leaves pushes again", "mayPush && !this.#isEnding", "mayPush"],
    [
      "what is being written counts as kept whatever came since",
      "this.#keep(this.#written)",
      "this.#keep(this.#newest)",
    ],
    ["another member's record is overwritten", "!record || record.by === this.#name", "this.#pushes || !record"],
    ["a write of its own that was not answered ends the turn", "record.by === this.#name", "record.by === undefined"],
    ["it pushes without the right to", "if (!this.#mayPush || this.#pushes)", "if (this.#pushes)"],
    ["the fault of a record is not told", "this.#mayPush && !this.#pushes ? [", "this.#pushes ? ["],
    ["places pile up", "this.#places.size > PLACES_MAX", "this.#places.size < 0"],
    ["the webhooks that push are forgotten first", "    this.#places.delete(webhook);\n", ""],
    ["a lost write is repeated as it was", "      this.#revision = undefined;\n", ""],
  ],
};
