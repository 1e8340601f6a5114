/** Tests of the timer that blames a peer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PhaseTimer } from "../../../src/sidecar/thread/phase-timer.ts";
import { until } from "../../support/until.ts";

test("a phase timer rings only after what the peer sent was handled", async () => {
  let asked = 0;
  let rings = 0;
  const timer = new PhaseTimer(
    () => rings++,
    () => ++asked <= 2,
  );
  timer.set(1);
  await until(() => asked > 1, { what: "the timer to be due twice" });
  assert.equal(rings, 0);
  await until(() => rings > 0, { what: "the ring" });
  // Asked once more after the frames were handled, and once more after what was not read yet could be.
  assert.equal(asked, 4);
  timer.set(undefined);
});
