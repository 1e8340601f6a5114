/** Mutants of `src/protocols/id-places.ts`. */
export default {
  tests: ["test/protocols/id-places"],
  deno: true,
  mutants: [
    ["a place is there whatever its condition", "if (when !== undefined && !when(json)) continue;", ""],
    ["any value is an id", 'place.type === "found" && isId(json.text, place.value)', 'place.type === "found"'],
    ["a key that occurs twice is passed over", 'if (place.type === "duplicate") return place;', ""],
    [
      "a place that is blocked is as good as a missing one",
      'best.type !== "missing" && place.type === "missing"',
      "false",
    ],
  ],
};
