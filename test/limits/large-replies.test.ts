/** Large replies of the smallest values there are. `LARGE=15` makes them as large as they may be, in MiB. */
import assert from "node:assert/strict";
import process from "node:process";
import { describe, test } from "node:test";
import { MESSAGES } from "../support/messages.ts";
import { type Product, startProduct } from "../support/product.ts";
import { pollLive, probed, probedThread, type Turns, watchTurns } from "../support/turns.ts";
import { until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";

const BYTES = Number(process.env.LARGE ?? 2) * 1024 * 1024;

/** The results of the upstream, as JSON, by their method. */
const results: Readonly<Record<string, () => string>> = {
  ones: () => `[${"1,".repeat(BYTES / 2)}1]`,
  objects: () => `[${'{"a":[]},'.repeat(BYTES / 9)}1]`,
  members: () => `{${'"a":1,'.repeat(BYTES / 6)}"b":1}`,
  deep: () => `${"[".repeat(BYTES / 8)}${"]".repeat(BYTES / 8)}`,
};

/** A protocol with a pointer into each frame, and one that takes nothing but the id. */
const protocols = {
  "json-rpc": {},
  json: { protocol: { preset: "json", reply: { has: ["/result"] }, skip: [{ has: ["/result/a/0"] }] } },
} as const;

/** The turns of the best of three rounds: what is long in each of them is no collection of garbage. */
async function shortestOf(product: Product, round: () => Promise<void>): Promise<Turns> {
  const rounds: Turns[] = [];
  for (let n = 0; n < 3; n++) {
    const turns = watchTurns(product);
    await round();
    // The probe of a thread reports a turn in the next one.
    await product.state();
    rounds.push(turns.until());
  }
  return rounds.reduce((best, turns) => (longestOf(turns) < longestOf(best) ? turns : best));
}

const longestOf = (turns: Turns): number => Math.max(0, ...turns.longest().map(({ ms }) => ms));

describe("large replies of small values", () => {
  for (const [name, settings] of Object.entries(protocols)) {
    test(`take no long turn with ${name}, and those behind them come in their order`, async (t) => {
      const upstream = await startUpstream({
        t,
        onMessage(message, connection) {
          const { id, method } = JSON.parse(String(message)) as { id: number; method: string };
          connection.send(`{"jsonrpc":"2.0","id":${id},"result":${results[method]?.() ?? id}}`);
          // Behind a large one, in the same turn.
          if (method in results) connection.send(JSON.stringify({ method: "after", params: [method] }));
        },
      });
      const config = { upstreams: { default: { url: upstream.url, ...probedThread, ...settings } } };
      const product = await startProduct({ config, t, ...probed });
      await product.ready();
      const ask = async (method: string): Promise<string> => {
        const response = await product.request({ jsonrpc: "2.0", id: 1, method });
        const text = await response.text();
        assert.equal(response.status, 200, text.slice(0, 200));
        return text;
      };
      await ask("small");
      const live = pollLive(product);
      for (const method of Object.keys(results)) {
        const length = `{"jsonrpc":"2.0","id":1,"result":${results[method]?.()}}`.length;
        const turns = await shortestOf(product, async () => assert.equal((await ask(method)).length, length));
        t.diagnostic(`${method}: ${JSON.stringify(turns.longest())}`);
        turns.assertShort();
      }
      await live.end();
      const page = (await (await product.fetch(MESSAGES)).json()) as { messages: { data: { params: string[] } }[] };
      const after = page.messages.map(({ data }) => data.params?.[0]);
      assert.deepEqual([...new Set(after)], Object.keys(results));
    });
  }
});

test("large lines of a streamed reply take no long turn, whether they are JSON or not", async (t) => {
  const json = results.ones?.() ?? "";
  const none = `[${"1,".repeat(BYTES / 2)}`;
  const upstream = await startUpstream({
    t,
    onMessage(_, connection) {
      for (const line of ["begin", json, none, json, "end"]) connection.send(line);
    },
  });
  const protocol = { preset: "text", final: ["^end"], collect: {} };
  const product = await startProduct({
    config: { upstreams: { default: { url: upstream.url, protocol, ...probedThread } } },
    t,
    ...probed,
  });
  await product.ready();
  const headers = { accept: "application/x-ndjson", "content-type": "text/plain" };
  const turns = await shortestOf(product, async () => {
    const reply = await product.post("/v1/upstreams/default/request", "go", { headers });
    const lines = (await reply.text()).split("\n");
    assert.deepEqual(lines, ['"begin"', json, JSON.stringify(none), json, '"end"', ""]);
  });
  t.diagnostic(JSON.stringify(turns.longest()));
  turns.assertShort();
});

test("a reply that arrived before the connection ended is a reply, however large, and so is what follows it", async (t) => {
  const large = results.ones?.() ?? "";
  const ids: number[] = [];
  const upstream = await startUpstream({
    t,
    onMessage(message, connection) {
      ids.push((JSON.parse(String(message)) as { id: number }).id);
      if (ids.length < 2) return;
      connection.send(`{"jsonrpc":"2.0","id":${ids[0]},"result":${large}}`);
      connection.send(`{"jsonrpc":"2.0","id":${ids[1]},"result":"behind"}`);
      connection.close(1012);
    },
  });
  // A ping every 50 ms, whose pong cannot be read while the reply is checked.
  const keepalive = { ping: "50ms", pong_within: "50ms" };
  const config = { upstreams: { default: { url: upstream.url, keepalive } } };
  const product = await startProduct({ config, t });
  await product.ready();
  const first = product.request({ jsonrpc: "2.0", id: 1, method: "first" });
  await until(() => ids.length === 1, { what: "the first request" });
  const second = product.request({ jsonrpc: "2.0", id: 2, method: "second" });
  const [one, other] = await Promise.all([first, second]);
  assert.equal((await one.text()).length, `{"jsonrpc":"2.0","id":1,"result":${large}}`.length);
  assert.deepEqual(await other.json(), { jsonrpc: "2.0", id: 2, result: "behind" });
  await until(() => /1012/.test(product.stderr()), { what: "the end of the connection in the log" });
});
