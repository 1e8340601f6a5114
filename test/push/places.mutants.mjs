/** Mutants of `src/push/places.ts`. */
export default {
  tests: ["test/push/webhook-ids.test"],
  deno: true,
  mutants: [
    ["a place of another epoch counts", "own.epoch === kept.epoch && ", ""],
    ["the place that is kept counts, however old", "own.seq > kept.seq", "own.seq < 0"],
  ],
};
