/** Tests of the doubt about a log of which a server has less than was read. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LogDoubt } from "../../../src/core/cluster/log-doubt.ts";

/** Asks every so many milliseconds; every so many times nobody answers. @returns when the doubt was over, or never */
function overAfter({ everyMs, failsEach = Number.POSITIVE_INFINITY }: { everyMs: number; failsEach?: number }) {
  const doubt = new LogDoubt();
  for (let n = 0; n * everyMs < 600_000; n++) {
    const now = 5_000 + n * everyMs;
    if (n % failsEach === failsEach - 1) doubt.failed(now);
    else if (doubt.lasts(now)) return n * everyMs;
  }
  return Number.POSITIVE_INFINITY;
}

test("a log has lost what servers lack for fifteen seconds", () => {
  assert.equal(overAfter({ everyMs: 30 }), 15_000);
  assert.equal(overAfter({ everyMs: 1_000 }), 15_000);
});

test("a doubt comes to an end however many answers fail, and only answers count", () => {
  assert.equal(overAfter({ everyMs: 500, failsEach: 2 }), 30_000);
  assert.equal(overAfter({ everyMs: 500, failsEach: 30 }), 15_500);
  assert.equal(overAfter({ everyMs: 500, failsEach: 1 }), Number.POSITIVE_INFINITY);
});

test("a pause between two answers counts for two seconds", () => {
  const doubt = new LogDoubt();
  assert.equal(doubt.lasts(0), false);
  for (let now = 100_000; now < 800_000; now += 100_000) assert.equal(doubt.lasts(now), false, `${now}`);
  assert.equal(doubt.lasts(800_000), true);
});

test("a doubt that has ended begins anew, and a failure begins none", () => {
  const doubt = new LogDoubt();
  doubt.failed(0);
  assert.equal(doubt.isOpen, false);
  for (let now = 0; now < 14_000; now += 1_000) doubt.lasts(now);
  assert.equal(doubt.isOpen, true);
  doubt.end();
  assert.equal(doubt.isOpen, false);
  for (let now = 15_000; now < 30_000; now += 1_000) assert.equal(doubt.lasts(now), false);
  assert.equal(doubt.lasts(30_000), true);
});
