/** The text of metrics for many upstreams, which is written in pieces. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { configSchema } from "../../../src/config/schema.ts";
import { Budget } from "../../../src/core/util/budget.ts";
import { Histogram } from "../../../src/core/util/histogram.ts";
import type { Scrape } from "../../../src/http/metrics/families.ts";
import { metricsText } from "../../../src/http/metrics/metrics-text.ts";
import { RequestMetrics } from "../../../src/http/metrics/request-metrics.ts";
import { ReplyKeeper } from "../../../src/http/reply-keeper.ts";
import { StopSignal } from "../../../src/http/stop-signal.ts";
import { readMetrics } from "../../support/metrics.ts";
import { fakeUpstream } from "../fake-upstream.ts";

const UPSTREAMS = 100;

function scrapeOf(count: number): Scrape {
  const thread = { name: "sidecar-1", crashes: 0, lag: new Histogram() };
  return {
    requests: new RequestMetrics(),
    refusals: new Map(),
    lag: new Histogram(),
    upstreams: Array.from({ length: count }, (_, n) => ({
      port: fakeUpstream(`u${n}`, { thread }),
      details: undefined,
    })),
    at: 0,
    lifecycle: {
      ready: true,
      accepting: true,
      stopping: new StopSignal(),
      exit: () => Promise.reject(new Error("unused")),
    },
    reloads: undefined,
    webhooks: new Map(),
    budget: Budget.alone(1_000_000),
    keeper: new ReplyKeeper(configSchema.parse({}).replies),
    about: { version: "0.0.0", runtime: "test" },
  };
}

for (const isOpenMetrics of [false, true]) {
  test(`the text of many upstreams has each head and sample once (OpenMetrics: ${isOpenMetrics})`, async () => {
    const { text } = await metricsText(scrapeOf(UPSTREAMS), isOpenMetrics);
    const few = await metricsText(scrapeOf(0), isOpenMetrics);
    const heads = (of: string) => of.split("\n").filter((line) => line.startsWith("#"));
    assert.deepEqual(heads(text), heads(few.text));
    const metrics = readMetrics(text);
    assert.equal(metrics.sum("sidesocket_upstream_state"), UPSTREAMS);
    assert.equal(metrics.sum("sidesocket_upstream_info"), UPSTREAMS);
    const keys = metrics.samples.map(({ name, labels }) => JSON.stringify([name, labels]));
    assert.equal(new Set(keys).size, keys.length);
  });
}

test("other work has its turns while the text of many upstreams is written", async () => {
  let turns = 0;
  let going = true;
  const count = () => {
    turns++;
    if (going) setImmediate(count);
  };
  setImmediate(count);
  // So many that the fastest machine needs several turns.
  await metricsText(scrapeOf(10 * UPSTREAMS), false);
  going = false;
  assert.ok(turns >= 3, String(turns));
});
