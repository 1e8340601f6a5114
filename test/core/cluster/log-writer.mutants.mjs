/** Mutants of `src/core/cluster/log-writer.ts`. */
export default {
  tests: ["test/core/cluster/log.test"],
  deno: true,
  mutants: [
    [
      "a term goes on with the numbers that a store may have lost",
      "first > 0 && first < LAST_NUMBER ? first",
      "first < 0 ? first",
    ],
    ["a clock that is far off uses all numbers", "first > 0 && first < LAST_NUMBER", "first > 0"],
    ["batches overtake each other", "|| !places || this.#onItsWay ||", "|| !places ||"],
    ["nothing is sent again", "now < sent.sentAt + AGAIN_MS) return", "now >= 0) return"],
    ["an old acknowledgement counts", "this.#onItsWay?.append.id !== id", "this.#onItsWay === undefined"],
    ["items are written before their numbers are known", "places: undefined };", "places: new Map() };"],
    ["what had to make room is not told", "      this.#countDropped(oldest);\n", ""],
    [
      "gaps that had to make room count as messages",
      '"gap" in item || before === null ? null',
      "before === null ? null",
    ],
    ["a gap stands behind what came later", "      this.#putDroppedOf(queued.journal);\n", ""],
    ["a closed journal is opened again in the same batch", "batch.closed.length > 0 || ", ""],
    ["the reason of a gap takes no room", "(queued.gap.why?.length ?? 0)", "0"],
    ["silent journals are forgotten", "this.#sinceAllPlaces >= this.#bounds.bytes / 4", "this.#sinceAllPlaces < 0"],
    ["a batch may have any size", "size + sizeOf(one) > BATCH_SIZE", "size < 0"],
    ["a message may have any size", "data.length <= LOGGED_MAX", "data.length >= 0"],
    ["a journal that is there begins again", "if (this.#places.has(name)) return;", ""],
  ],
};
