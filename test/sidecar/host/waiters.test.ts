/** Tests of the waiters and their deadlines. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Waiters } from "../../../src/sidecar/host/waiters.ts";
import { run } from "../../support/child.ts";
import { denoPath, nodePath, runtime } from "../../support/root.ts";
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

test("a waiter holds the program until it is taken, also after others, and nothing else does", async (t) => {
  const module = new URL(`../../../src/sidecar/host/waiters${import.meta.url.slice(-3)}`, import.meta.url);
  const program = `
    import { Waiters } from ${JSON.stringify(module.href)};
    const waiters = new Waiters((seq) => {
      console.log("overdue", waiters.take(seq) !== undefined);
      waiters.take(wait(100_000));
    });
    function wait(ms) {
      const seq = waiters.draw();
      waiters.add(seq, { until: performance.now() + ms, settle() {} });
      return seq;
    }
    waiters.take(wait(300));
    wait(400);`;
  const [command, args] = runtime === "deno" ? [denoPath(), ["eval"]] : [nodePath(), ["--input-type=module", "-e"]];
  const { code, stdout, stderr } = await run({ command, args: [...args, program], within: 20_000, t });
  assert.deepEqual([code, stdout, stderr], [0, "overdue true\n", ""]);
});
