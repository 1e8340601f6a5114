/** Durations of HTTP requests: their labels, and the bound on the number of series. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RequestMetrics } from "../../../src/http/metrics/request-metrics.ts";

const ROUTES = ["/v1/upstreams/{upstream}/request", "/rpc", "unmatched"];
const STATUSES = [200, 404, 503];

test("whatever methods callers send, the number of series is bounded, and each request counts once", () => {
  const request = fc.record({
    method: fc.oneof(fc.constantFrom("GET", "POST", "_OTHER"), fc.string({ maxLength: 20 })),
    route: fc.constantFrom(...ROUTES),
    status: fc.constantFrom(...STATUSES),
  });
  fc.assert(
    fc.property(fc.array(request, { maxLength: 200 }), (requests) => {
      const metrics = new RequestMetrics();
      for (const { route, method, status } of requests) metrics.ended(route, method, status, undefined, 1);
      const { series } = metrics;
      assert.ok(series.length <= ROUTES.length * STATUSES.length * 10, String(series.length));
      assert.equal(
        series.reduce((total, { histogram }) => total + histogram.count, 0),
        requests.length,
      );
      const keys = series.map(({ route, method, status }) => `${route} ${method} ${status}`);
      assert.equal(new Set(keys).size, keys.length);
    }),
  );
});

test("requests of one route are told apart by method, status and code, and keep their durations", () => {
  const metrics = new RequestMetrics();
  metrics.ended("/rpc", "POST", 200, undefined, 250);
  metrics.ended("/rpc", "POST", 200, "reply_timeout", 500);
  metrics.ended("/rpc", "GET", 405, "method_not_allowed", 1_000);
  metrics.ended("/rpc", "POST", 200, undefined, 250);
  metrics.ended("/rpc", "BREW", 405, "method_not_allowed", 1);
  assert.deepEqual(
    metrics.series.map(({ method, status, error, histogram: { count, sum } }) => [method, status, error, count, sum]),
    [
      ["POST", 200, undefined, 2, 0.5],
      ["POST", 200, "reply_timeout", 1, 0.5],
      ["GET", 405, "method_not_allowed", 1, 1],
      ["_OTHER", 405, "method_not_allowed", 1, 0.001],
    ],
  );
});
