import assert from "node:assert/strict";
import { test } from "node:test";
import { Waiters } from "../../../src/sidecar/host/waiters.ts";
import { until } from "../../support/until.ts";

test("who is not answered is told so at its time, and not before; who was answered, never", async () => {
  const told: number[] = [];
  const late: number[] = [];
  const waiters = new Waiters((seq) => {
    late.push(seq);
    waiters.take(seq);
  });
  const began = performance.now();
  const wait = (ms: number) => {
    const seq = waiters.draw();
    waiters.add(seq, { until: began + ms, settle: () => told.push(seq) });
    return seq;
  };
  const [third, second, first, answered] = [wait(90), wait(60), wait(30), wait(10)];
  waiters.take(answered);
  await until(() => late.length === 3);
  assert.ok(performance.now() - began >= 90);
  assert.deepEqual(late, [first, second, third]);
  assert.equal(waiters.size, 0);
});

test("when all are taken nobody is left, and nothing keeps the process alive", () => {
  const waiters = new Waiters(() => assert.fail("nobody waits"));
  for (let n = 0; n < 100; n++) waiters.add(waiters.draw(), { until: performance.now() + 60_000, settle: () => {} });
  assert.equal([...waiters.takeAll()].length, 100);
  assert.equal(waiters.size, 0);
  waiters.quieten();
});
