/** Tests of the rate limit. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RateLimit } from "../../../src/core/exchange/rate-limit.ts";

test("the rate limit admits `messages` at once, and each next one `per` after the one that many before it", () => {
  const pace = new RateLimit({ messages: 3, per: 1_000, jitter: 0 });
  const free = (now: number) => [0, 1, 2].filter((ahead) => pace.at(ahead, now) <= now).length;
  assert.equal(free(0), 3);
  assert.deepEqual(
    [2, 3, 6].map((ahead) => pace.at(ahead, 0)),
    [0, 1_000, 2_000],
    "those beyond have to wait",
  );
  for (const now of [0, 100, 200]) pace.take(now);
  assert.equal(free(200), 0);
  assert.deepEqual(
    [0, 1, 2, 3, 4, 6].map((ahead) => pace.at(ahead, 200)),
    [1_000, 1_100, 1_200, 2_000, 2_100, 3_000],
  );
  assert.equal(free(999), 0);
  assert.equal(free(1_000), 1);
  assert.equal(free(1_150), 2);
  pace.take(1_150);
  assert.equal(pace.at(0, 0), 1_100);
  assert.equal(pace.at(2, 0), 2_150);
});

test("no stretch of `per` and the jitter exceeds the limit, and no message waits longer than it must, whenever messages come", () => {
  const all = fc.record({
    messages: fc.integer({ min: 1, max: 5 }),
    per: fc.integer({ min: 1, max: 100 }),
    jitter: fc.nat({ max: 20 }),
    gaps: fc.array(fc.nat({ max: 80 }), { maxLength: 60 }),
  });
  fc.assert(
    fc.property(all, ({ messages, per, jitter, gaps }) => {
      const pace = new RateLimit({ messages, per, jitter });
      const went: number[] = [];
      let now = 0;
      for (const gap of gaps) {
        now = pace.at(0, now + gap);
        assert.equal(pace.at(0, now), now, "it may go at the time that was promised");
        pace.take(now);
        went.push(now);
      }
      went.forEach((from, index) => {
        const end = went[index + messages];
        assert.ok(end === undefined || end - from >= per + jitter, `${messages + 1} within ${end} - ${from} ms`);
      });
      // The turns predicted now are those that the messages get.
      const predicted = Array.from({ length: 12 }, (_, ahead) => pace.at(ahead, now));
      const turns = predicted.map(() => {
        now = pace.at(0, now);
        pace.take(now);
        return now;
      });
      assert.deepEqual(predicted, turns);
    }),
    { numRuns: 500 },
  );
});
