/** Batches of more items than an upstream takes at once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { residentBytes } from "../support/proc.ts";
import { startProduct } from "../support/product.ts";
import { pollLive, probed, probedThread, watchTurns } from "../support/turns.ts";
import { startUpstream } from "../support/upstream.ts";

const MIB = 1024 * 1024;

test("a body full of the smallest items is refused as a whole, and costs others nothing", async (t) => {
  const upstream = await startUpstream({ t });
  const config = { upstreams: { default: { url: upstream.url, ...probedThread } } };
  const product = await startProduct({ config, t, ...probed });
  await product.ready();
  const body = `[${"1,".repeat(MIB / 2 - 2)}1]`;
  await product.rpc(body);
  const turns = watchTurns(product);
  const live = pollLive(product);
  const before = residentBytes(product.pid);
  for (const path of ["/rpc", "/v1/upstreams/default/request", "/v1/upstreams/default/send"]) {
    const attempts = Array.from({ length: 4 }, () => product.post(path, body));
    for (const response of await Promise.all(attempts)) {
      assert.equal(response.status, 400, path);
      const text = await response.text();
      assert.match(text, /more than 1024 items \(limits\.batch_items\)/);
      assert.ok(text.length < 1_000, `${text.length} characters`);
    }
  }
  assert.ok((await live.end()) < 500);
  assert.ok(residentBytes(product.pid) - before < 150 * MIB);
  turns.assertShort();
});

test("limits.batch_items bounds the items of a batch", async (t) => {
  const upstream = await startUpstream({ t });
  const config = { upstreams: { default: { url: upstream.url, limits: { batch_items: 2 } } } };
  const product = await startProduct({ config, t });
  await product.ready();
  const item = { jsonrpc: "2.0", id: 1, method: "echo", params: [] };
  assert.equal((await product.rpc([item, item])).status, 200);
  const refused = await product.rpc([item, item, item]);
  assert.equal(refused.status, 400);
  assert.deepEqual(upstream.texts.length, 2);
  const { id, error } = (await refused.json()) as { id: unknown; error: { code: number } };
  assert.deepEqual([id, error.code], [null, -32600]);
});
