/** Filters on a full journal, with as many rules as a reader may give. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MESSAGES } from "../support/messages.ts";
import { startProduct } from "../support/product.ts";
import { pollLive, probed, probedThread, watchTurns } from "../support/turns.ts";
import { until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";

/** Sixteen rules: fifteen hold for every message, and the last for none. */
function rules(last: string): string {
  const held = Array.from({ length: 15 }, (_, n) => `where=${encodeURIComponent(`/v/k${n}`)}`);
  return [...held, `where=${encodeURIComponent(`/v/name=${last}`)}`].join("&");
}

const message = (pad: number) =>
  JSON.stringify({
    pad: [Array(pad).fill(1)],
    v: { ...Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`k${n}`, n])), name: "a" },
  });

test("pollers with many rules on a full journal do not make requests wait", async (t) => {
  const upstream = await startUpstream({ t });
  const config = { upstreams: { default: { url: upstream.url, ...probedThread } } };
  const product = await startProduct({ config, t, ...probed });
  await product.ready();
  const text = message(200);
  for (let n = 0; n < 10_000; n++) upstream.last.send(text);
  const kept = async () => ((await product.state()).kept as { messages: number }).messages;
  await until(async () => (await kept()) > 9_999, { within: 15_000, every: 100 });
  const ask = async () => {
    const from = performance.now();
    const response = await product.request({ jsonrpc: "2.0", id: 1, method: "echo", params: [] });
    assert.equal(response.status, 200, await response.text());
    return performance.now() - from;
  };
  await ask();
  const turns = watchTurns(product);
  const live = pollLive(product);
  let polling = true;
  const poll = async (name: string) => {
    while (polling) {
      const response = await product.fetch(`${MESSAGES}?${rules(name)}`);
      const text = await response.text();
      assert.equal(response.status, 200, text);
    }
  };
  const pollers = Array.from({ length: 20 }, (_, n) => poll(`none${n % 2}`));
  const took: number[] = [];
  while (took.length < 40) took.push(await ask());
  polling = false;
  await Promise.all(pollers);
  await live.end();
  turns.assertShort();
  assert.ok(Math.max(...took) < 2_000, `${took.map(Math.round)}`);
  const { ms, code } = await product.stop();
  assert.deepEqual([code, ms < 9_500], [0, true]);
});

test("a large message is examined piece by piece, once for all readers of a filter", async (t) => {
  const upstream = await startUpstream({ t });
  const config = { upstreams: { default: { url: upstream.url, ...probedThread } } };
  const product = await startProduct({ config, t, ...probed });
  await product.ready();
  upstream.last.send(message(500_000));
  upstream.last.send(JSON.stringify({ v: { name: "small" } }));
  const kept = async () => ((await product.state()).kept as { messages: number }).messages;
  await until(async () => (await kept()) === 2, { every: 20 });
  const turns = watchTurns(product);
  const pages = Array.from({ length: 10 }, async (_, n) => {
    const response = await product.fetch(`${MESSAGES}?${rules(`b${n % 2}`)}`);
    return (await response.json()) as { messages: unknown[] };
  });
  for (const { messages } of await Promise.all(pages)) assert.deepEqual(messages, []);
  const small = await product.fetch(`${MESSAGES}?where=/v/name=small`);
  assert.equal(((await small.json()) as { messages: unknown[] }).messages.length, 1);
  turns.assertShort(undefined, "thread");
});
