/** Tests of the backoff: its growth, its bounds and its spread. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MAX_DURATION_MS } from "../../../src/config/units.ts";
import { aroundInterval, fullJitter } from "../../../src/core/util/backoff.ts";
import { seeded } from "../../support/random.ts";
import { chance } from "../connection/move.ts";

const bounds = fc
  .tuple(fc.integer({ min: 1, max: MAX_DURATION_MS }), fc.integer({ min: 1, max: MAX_DURATION_MS }))
  .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);

test("the ceiling doubles with each failed attempt, up to its maximum", () => {
  const almostOne = 1 - Number.EPSILON;
  const delays = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((attempt) => fullJitter(attempt, 200, 30_000, almostOne));
  assert.deepEqual(delays, [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
});

test("a delay is a whole number of milliseconds from zero to the ceiling, after any number of failures", () => {
  fc.assert(
    fc.property(fc.nat(), bounds, chance, (attempt, [from, to], random) => {
      const delay = fullJitter(attempt, from, to, random);
      assert.ok(Number.isInteger(delay) && delay >= 0 && delay <= to, String(delay));
      assert.ok(delay <= from * 2 ** attempt);
    }),
  );
});

test("randomness alone spreads the delays of a thousand clients evenly", () => {
  const random = seeded(7);
  const delays = Array.from({ length: 1_000 }, () => fullJitter(20, 200, 30_000, random()));
  const tenths = new Array<number>(10).fill(0);
  for (const delay of delays) {
    const tenth = Math.min(9, Math.floor(delay / 3_000));
    tenths[tenth] = (tenths[tenth] ?? 0) + 1;
  }
  for (const count of tenths) assert.ok(count > 50 && count < 150, `uneven: ${tenths.join(" ")}`);
});

test("a fixed interval varies by up to a quarter either way", () => {
  assert.equal(aroundInterval(60_000, 0), 45_000);
  assert.equal(aroundInterval(60_000, 0.5), 60_000);
  assert.equal(aroundInterval(60_000, 1 - Number.EPSILON), 75_000);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: MAX_DURATION_MS }), chance, (interval, random) => {
      const spread = aroundInterval(interval, random);
      assert.ok(Number.isInteger(spread));
      assert.ok(spread >= Math.floor(interval * 0.75) && spread <= Math.ceil(interval * 1.25), String(spread));
    }),
  );
});
