/** Mutants of `src/core/exchange/admission.ts`. */
export default {
  tests: ["test/core/exchange/exchange", "test/core/exchange/lane"],
  deno: true,
  mutants: [
    ["a batch may have any number of items", "items.length <= this.#itemsMax", "true"],
    ["draining accepts new requests", "if (this.#closed) return failures.shuttingDown;", ""],
    ["a request past its deadline is admitted", "if (incoming.deadline <= now) return failures.unsentInTime(0);", ""],
    ["a message may be of any size", "sizeOf(incoming.body) > this.#bytesMax", "false"],
    ["a message of a subscription is bounded, too", 'owner === "caller" && sizeOf(incoming', "sizeOf(incoming"],
    [
      "an expired request keeps its place",
      "this.#expire(now);",
      "void now;",
      { tests: ["test/core/exchange/exchange-limits"] },
    ],
    ["the cap is one too low", "size >= this.#inFlightMax", "size + 1 >= this.#inFlightMax"],
    [
      "the cap is one too high",
      "size >= this.#inFlightMax",
      "size > this.#inFlightMax",
      { tests: ["test/core/exchange/exchange-limits"] },
    ],
    [
      "bytes buffered in the socket do not count",
      "this.#waiting.bytes + buffered + sizeOf",
      "this.#waiting.bytes + sizeOf",
    ],
    ["bytes of a batch that waits do not count", "heldBytes + this.#waiting.bytes +", "heldBytes +"],
    ["a batch takes all places", "(isFair(places, free) && free > this.#inFlightMax * LEFT_TO_OTHERS)", "free > 0"],
    ["batches take the last places", " && free > this.#inFlightMax * LEFT_TO_OTHERS", ""],
    ["a batch without a place waits like others", "places === 0 || ", ""],
    ["a request overtakes batches that wait", "      this.admitWaiting(now);\n", ""],
    ["a batch takes one place too many", "const item = free > 0 ?", "const item = free >= 0 ?"],
    [
      "a batch waits beyond its deadline",
      "this.#refuseRest(batch, failures.noPlace(",
      "void (batch && failures.noPlace(",
    ],
  ],
};
