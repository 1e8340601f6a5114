/** Properties of the histogram, and of counts whose names a peer chooses. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BoundedCounts, NAMES_MAX, OTHER } from "../../../src/core/util/bounded-counts.ts";
import { BUCKET_BOUNDS, Histogram } from "../../../src/core/util/histogram.ts";

const duration = fc.oneof(fc.double({ min: 0, max: 20, noNaN: true }), fc.constantFrom(...BUCKET_BOUNDS));

test("a histogram counts up to each bound what is not above it, and knows the number and the sum of all", () => {
  fc.assert(
    fc.property(fc.array(duration), (durations) => {
      const histogram = new Histogram();
      for (const each of durations) histogram.observe(each);
      const expected = BUCKET_BOUNDS.map((bound) => durations.filter((each) => each <= bound).length);
      assert.deepEqual(histogram.upTo, expected);
      assert.equal(histogram.count, durations.length);
      assert.equal(
        histogram.sum,
        durations.reduce((total, each) => total + each, 0),
      );
    }),
  );
});

test("counts lose nothing when names run out: the rest is counted as other", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(100).map(String), { maxLength: 300 }), (names) => {
      const counts = new BoundedCounts();
      for (const name of names) counts.add(name);
      const { all } = counts;
      assert.ok(Object.keys(all).length <= NAMES_MAX + 1);
      assert.equal(
        Object.values(all).reduce((total, count) => total + count, 0),
        names.length,
      );
      for (const [name, count] of Object.entries(all)) {
        if (name !== OTHER) assert.equal(count, names.filter((each) => each === name).length);
      }
    }),
  );
});
