/** Counts of calls: what each end of a call adds to which of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Failed, Outcome, Replied } from "../../../src/core/outcome.ts";
import type { ErrorCode, Sent } from "../../../src/errors.ts";
import { CallStats } from "../../../src/sidecar/host/call-stats.ts";

const replied = (upstreamMs: number): Replied => ({ type: "reply", body: "", queueMs: 5, upstreamMs });
const failed = (code: ErrorCode, sent: Sent): Failed => ({ type: "failed", failure: { code, sent, detail: "" } });

function statsOf(...ends: readonly (readonly [Outcome, number?])[]) {
  const stats = new CallStats();
  for (const [outcome, ms] of ends) stats.ended(outcome, ms);
  const durations = stats.durations.map(([code, { count, sum }]) => [code, count, sum] as const);
  return { durations, failures: stats.failures };
}

test("a reply counts with the upstream's part of its time, and a streamed one without", () => {
  const { durations, failures } = statsOf([replied(2_000), 9_000], [replied(500), 9_000], [replied(7_000)]);
  assert.deepEqual(durations, [[undefined, 2, 2.5]]);
  assert.deepEqual(failures, []);
});

test("a failure counts by code and sent, and has a duration only if something was sent", () => {
  const { durations, failures } = statsOf(
    [failed("reply_timeout", "maybe"), 3_000],
    [failed("reply_timeout", "yes"), 1_000],
    [failed("reply_timeout", "no"), 8_000],
    [failed("upstream_down", "no"), 1],
    [failed("upstream_down", "no"), 1],
  );
  assert.deepEqual(durations, [
    [undefined, 0, 0],
    ["reply_timeout", 2, 4],
  ]);
  assert.deepEqual(failures, [
    { code: "reply_timeout", sent: "maybe", count: 1 },
    { code: "reply_timeout", sent: "yes", count: 1 },
    { code: "reply_timeout", sent: "no", count: 1 },
    { code: "upstream_down", sent: "no", count: 2 },
  ]);
});

test("the items of a batch count one by one, and what has no reply does not", () => {
  const items = [replied(1_000), failed("connection_lost", "maybe"), replied(2_000)];
  const { durations, failures } = statsOf([{ type: "batch", items, done: 2 }, 4_000], [{ type: "done" }, 1_000]);
  assert.deepEqual(durations, [
    [undefined, 2, 3],
    ["connection_lost", 1, 4],
  ]);
  assert.deepEqual(failures, [{ code: "connection_lost", sent: "maybe", count: 1 }]);
});
