/** Tests of the waiters and their deadlines. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Waiters } from "../../../src/sidecar/host/waiters.ts";
import { until } from "../../support/until.ts";

test("a waiter is reported once it is overdue and not before, and never after it was taken", async () => {
  const settled: number[] = [];
  const overdue: number[] = [];
  const waiters = new Waiters((seq) => {
    overdue.push(seq);
    waiters.take(seq);
  });
  const began = performance.now();
  const wait = (ms: number) => {
    const seq = waiters.draw();
    waiters.add(seq, { until: began + ms, settle: () => settled.push(seq) });
    return seq;
  };
  const [third, second, first, answered] = [wait(90), wait(60), wait(30), wait(10)];
  waiters.take(answered);
  await until(() => overdue.length === 3);
  assert.ok(performance.now() - began >= 90);
  assert.deepEqual(overdue, [first, second, third]);
  assert.equal(waiters.size, 0);
});

test("taking all waiters leaves none, and no timer keeps the process alive", () => {
  const waiters = new Waiters(() => assert.fail("no waiter is left"));
  for (let n = 0; n < 100; n++) waiters.add(waiters.draw(), { until: performance.now() + 60_000, settle: () => {} });
  assert.equal([...waiters.takeAll()].length, 100);
  assert.equal(waiters.size, 0);
  waiters.clearTimer();
});
