/** Alarms of a thread that was busy when they were due. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageChannel } from "node:worker_threads";
import { deferred } from "../../src/core/util/deferred.ts";
import { Alarm } from "../../src/sidecar/alarm.ts";
import { bounded } from "../support/until.ts";

function busy(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

test("what had arrived when an alarm was due is read before it rings", async (t) => {
  const { port1, port2 } = new MessageChannel();
  t.after(() => port1.close());
  let rings = 0;
  const alarm = new Alarm(
    () => performance.now(),
    () => rings++,
  );
  const read = new Promise<void>((resolve) => {
    port1.on("message", () => {
      alarm.clear();
      resolve();
    });
  });
  alarm.set(performance.now() + 20);
  // From here, timers come before messages on both runtimes.
  setImmediate(() => {
    port2.postMessage("the outcome");
    busy(200);
  });
  await bounded(read, { what: "the message" });
  // A timer of the same length that was set later fires later.
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(rings, 0);
});

test("an alarm that was due in a busy thread rings once, soon after", async () => {
  const rung = deferred<number>();
  let rings = 0;
  const ring = () => {
    rings++;
    rung.resolve(performance.now());
  };
  const alarm = new Alarm(() => performance.now(), ring);
  alarm.set(performance.now() + 20);
  busy(200);
  const freeAt = performance.now();
  // Another deadline must not ring it earlier or twice.
  alarm.set(freeAt + 10_000);
  assert.ok((await rung.promise) - freeAt < 1_000);
  alarm.clear();
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(rings, 1);
});
