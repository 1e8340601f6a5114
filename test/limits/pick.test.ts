/** `?pick` on large and deep replies. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startProduct } from "../support/product.ts";
import { pollLive, probed, probedThread, watchTurns } from "../support/turns.ts";
import { startUpstream } from "../support/upstream.ts";

const PATH = "/v1/upstreams/default/request?pick=";

/** The results of the upstream, as JSON, by their method. */
const results: Readonly<Record<string, () => string>> = {
  deep: () => `${'{"x":'.repeat(170_000)}1${"}".repeat(170_000)}`,
  wide: () => `[${"1,".repeat(2_000_000)}1]`,
  long: () => `"${"x".repeat(4_000_000)}"`,
};

test("picking from large and deep replies takes no long turn of the main thread", async (t) => {
  const upstream = await startUpstream({
    t,
    onMessage: (message, connection) => {
      const { id, method } = JSON.parse(String(message)) as { id: number; method: string };
      connection.send(`{"jsonrpc":"2.0","id":${id},"result":${results[method]?.() ?? "7"}}`);
    },
  });
  const config = { upstreams: { default: { url: upstream.url, ...probedThread } } };
  const product = await startProduct({ config, t, ...probed });
  await product.ready();
  const pick = async (pointer: string, method: string): Promise<string> => {
    const response = await product.post(`${PATH}${pointer}`, { jsonrpc: "2.0", id: 1, method });
    const text = await response.text();
    return response.status === 200 ? text : `${response.status} ${text}`;
  };
  assert.equal(await pick("/result", "small"), "7");
  const turns = watchTurns(product);
  const live = pollLive(product);
  const deep = await Promise.all(Array.from({ length: 8 }, () => pick(`/result${"/x".repeat(63)}`, "deep")));
  for (const text of deep) assert.equal(text.slice(0, 5), '{"x":');
  assert.match(await pick(`/result${"/x".repeat(62)}/y`, "deep"), /^502 .*nothing at .* is an object"/);
  assert.equal(await pick("/result/2000000", "wide"), "1");
  assert.match(await pick("/result/a", "wide"), /^502 .*\\"\/result\\" is an array"/);
  assert.equal((await pick("/result", "long")).length, 4_000_000);
  await live.end();
  turns.assertShort(undefined, "main");
});

test("a pointer of more tokens than a reply has levels is refused before anything is sent", async (t) => {
  const upstream = await startUpstream({ t });
  const product = await startProduct({ upstream, t });
  await product.ready();
  const message = { jsonrpc: "2.0", id: 1, method: "echo", params: [] };
  for (const pointer of ["/x".repeat(65), "/x".repeat(7_000), `/${"x".repeat(1_024)}`]) {
    const response = await product.post(`${PATH}${pointer}`, message);
    assert.equal(response.status, 400);
    assert.match(((await response.json()) as { detail: string }).detail, /^pick: it (is longer|has more) than/);
  }
  assert.deepEqual(upstream.texts, []);
});
