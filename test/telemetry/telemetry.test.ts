/** Telemetry without a service: percentiles, rates of lines, and what is remembered. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Failure } from "../../src/errors.ts";
import type { UpstreamState } from "../../src/sidecar/reports.ts";
import { LatencyWindows, WINDOW_MS, WINDOWS } from "../../src/telemetry/latency-windows.ts";
import { LineRate } from "../../src/telemetry/line-rate.ts";
import { type EndedRequest, Telemetry, type TelemetryEvent } from "../../src/telemetry/telemetry.ts";

describe("latency windows", () => {
  test("a percentile is at most 10 % off the exact one", () => {
    const durations = fc.array(fc.double({ min: 0.1, max: 120_000, noNaN: true }), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(durations, (all) => {
        const windows = new LatencyWindows();
        for (const ms of all) windows.replied(ms, 5);
        const sorted = all.toSorted((a, b) => a - b);
        const { count, p50Ms, p99Ms } = windows.total(5);
        assert.equal(count, all.length);
        for (const [told, share] of [
          [p50Ms, 0.5],
          [p99Ms, 0.99],
        ] as const) {
          const exact = sorted[Math.ceil(sorted.length * share) - 1] as number;
          assert(told !== null && told > exact / 1.1 && told < exact * 1.1, `${told} for ${exact}`);
        }
      }),
    );
  });

  test("replies and failures stand in the window in which they ended, and leave after five minutes", () => {
    const windows = new LatencyWindows();
    windows.replied(1, 0);
    windows.failed(WINDOW_MS);
    windows.replied(2, WINDOW_MS * 3);
    const shown = windows.windows(WINDOW_MS * 3, 1).map(({ at, count, failed }) => [at / WINDOW_MS, count, failed]);
    assert.deepEqual(shown, [
      [0, 1, 0],
      [1, 0, 1],
      [3, 1, 0],
    ]);
    assert.equal(windows.total(WINDOW_MS * WINDOWS).count, 1);
    windows.replied(1, WINDOW_MS * 1_000);
    assert.equal(windows.windows(WINDOW_MS * 1_000, 0).length, 1);
  });

  test("no reply means no percentile", () => {
    assert.deepEqual(new LatencyWindows().total(0), { count: 0, failed: 0, p50Ms: null, p99Ms: null });
  });
});

describe("the rate of lines", () => {
  test("every line is either let through, at most ten of a kind in a second, or counted", () => {
    const lines = fc.array(fc.record({ kind: fc.constantFrom("a", "b"), afterMs: fc.nat(300) }), { maxLength: 200 });
    fc.assert(
      fc.property(lines, (given) => {
        const rate = new LineRate();
        let now = 0;
        let through: { kind: string; at: number }[] = [];
        let counted = 0;
        let dueAt = Number.POSITIVE_INFINITY;
        const flush = () => {
          for (const held of Object.values(rate.flush())) counted += held;
          dueAt = Number.POSITIVE_INFINITY;
        };
        for (const { kind, afterMs } of given) {
          now += afterMs;
          if (now >= dueAt) flush();
          if (rate.takes(kind, now)) through = [...through, { kind, at: now }];
          else if (rate.held === 1) dueAt = now + rate.dueInMs(now);
        }
        flush();
        assert.equal(through.length + counted, given.length);
      }),
    );
  });

  test("a flood of one kind does not hide another", () => {
    const rate = new LineRate();
    for (let line = 0; line < 50; line++) assert.equal(rate.takes("flood", line), line < 10);
    assert(rate.takes("other", 60));
    assert.equal(rate.dueInMs(60), 940);
    assert.deepEqual(rate.flush(), { flood: 40 });
    assert(rate.takes("flood", 1_000));
  });
});

const failure: Failure = { code: "upstream_down", sent: "no", detail: "it is away" };

function ended(more: Partial<EndedRequest>): EndedRequest {
  return {
    requestId: "id",
    method: "GET",
    route: "/x",
    status: 200,
    totalMs: 1,
    endedAt: 1,
    upstream: undefined,
    failure: undefined,
    reply: undefined,
    caller: undefined,
    address: undefined,
    traceId: undefined,
    ...more,
  };
}

test("strangers cannot push the failures of an upstream out of memory", () => {
  const telemetry = new Telemetry();
  telemetry.requestEnded(ended({ requestId: "mine", upstream: "a", failure }));
  for (let number = 0; number < 200; number++) telemetry.requestEnded(ended({ failure }));
  assert.equal(telemetry.failures.length, 51);
  assert(telemetry.failures.some(({ requestId }) => requestId === "mine"));
});

test("changes of state are remembered, 200 of them, and emitted until the upstream is forgotten", () => {
  let change = (_: UpstreamState): void => {};
  const upstream = {
    state: { phase: "idle", attempts: 0, since: new Date(7) } as const,
    onState(listener: (state: UpstreamState) => void) {
      change = listener;
      return () => {
        change = () => {};
      };
    },
  };
  const telemetry = new Telemetry();
  const events: TelemetryEvent[] = [];
  const stop = telemetry.on((event) => events.push(event));
  telemetry.watch("a", upstream);
  assert.deepEqual(
    telemetry.changesOf("a").map(({ at, phase }) => [at.getTime(), phase]),
    [[7, "idle"]],
  );
  for (let attempts = 1; attempts <= 300; attempts++) change({ phase: "waiting", attempts });
  assert.deepEqual([telemetry.changesOf("a").length, telemetry.changesOf("a").at(-1)?.attempts], [200, 300]);
  assert.equal(events.length, 300);
  telemetry.unwatch("a");
  change({ phase: "ready", attempts: 0 });
  assert.deepEqual([telemetry.changesOf("a"), events.length], [[], 300]);
  telemetry.watch("a", upstream);
  stop();
  change({ phase: "ready", attempts: 0 });
  assert.deepEqual([telemetry.changesOf("a").length, events.length], [2, 300]);
});
