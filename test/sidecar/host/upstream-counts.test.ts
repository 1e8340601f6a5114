/** Counts of an upstream: its own, those of its instances, and those that its threads have left behind. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { tallyIn } from "../../../src/core/tally.ts";
import { UpstreamCounts } from "../../../src/sidecar/host/upstream-counts.ts";

test("an upstream counts what its instances count, and keeps it once they are gone", () => {
  const upstream = new UpstreamCounts();
  const [one, other] = [new UpstreamCounts(upstream), new UpstreamCounts(upstream)];
  for (const counts of [upstream, one, other]) tallyIn(counts.cells).replies += 2;
  tallyIn(one.cells).evicted++;
  tallyIn(other.cells).away += 3;
  const expected = { replies: 6, losses: { evicted: 1, missed: 0, gaps: { away: 3 } } };
  const shown = ({ all: { counters, losses } }: UpstreamCounts) => ({ replies: counters.replies, losses });
  assert.deepEqual(shown(upstream), expected);
  assert.deepEqual(shown(one), { replies: 2, losses: { evicted: 1, missed: 0, gaps: {} } });
  one.leave();
  assert.deepEqual(shown(upstream), expected);
  one.leave();
  assert.deepEqual(shown(upstream), expected, "an instance leaves once");
  tallyIn(other.cells).replies++;
  assert.deepEqual(shown(upstream), { ...expected, replies: 7 });
});

test("the end of an instance's connection counts for its upstream, and its calls are the upstream's", () => {
  const upstream = new UpstreamCounts();
  const instance = new UpstreamCounts(upstream);
  instance.connectionEnded(true, "1011");
  upstream.connectionEnded(true, "1011");
  instance.connectionEnded(false, "http_401");
  assert.deepEqual(upstream.all.ends, { disconnects: { "1011": 2 }, failedAttempts: { http_401: 1 } });
  assert.deepEqual(instance.all.ends, { disconnects: { "1011": 1 }, failedAttempts: { http_401: 1 } });
  assert.equal(instance.calls, upstream.calls);
});

test("a tally goes on where it stood when another thread takes it over", () => {
  const { cells, all } = new UpstreamCounts();
  assert.equal(all.counters.requests, 0);
  tallyIn(cells).requests++;
  const next = tallyIn(structuredClone(cells));
  next.requests++;
  assert.equal(tallyIn(cells).requests, 2);
  assert.equal({ ...next }.requests, 2, "it can be copied");
});
