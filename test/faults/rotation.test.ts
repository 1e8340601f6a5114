/**
 * Make before break on the real process: no request fails or is sent twice, and the old connection gets its last reply.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Product, startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { OPCODE } from "./frames.ts";
import type { Peer } from "./peer.ts";
import { type Answer, echo, requestOf } from "./replies.ts";
import { startFaultUpstream } from "./upstream.ts";

const reconnect = { from: "20ms", to: "100ms" };
const call = (id: number, method = "echo") => ({ jsonrpc: "2.0", id, method, params: [id] });
const on = { match: { "/method": "going_away" } };

/** Withholds replies to `slow` until `release` is called. */
function holding(): { readonly onMessage: Answer; release(): void } {
  const held: (() => void)[] = [];
  return {
    onMessage: (peer, frame) => {
      if (requestOf(frame)?.method === "slow") held.push(() => echo(peer, frame));
      else echo(peer, frame);
    },
    release: () => {
      for (const answer of held.splice(0)) answer();
    },
  };
}

/** Lets the peer ask for its rotation, and waits for the successor. */
async function leftForNext(old: Peer, product: Product): Promise<void> {
  old.json({ jsonrpc: "2.0", method: "going_away" });
  await until(async () => ((await product.state()).counters as Record<string, number>).connects === 2);
}

test("a going-away message makes the next connection before the old one gives its last reply", async (t) => {
  const { onMessage, release } = holding();
  const upstream = await startFaultUpstream({ onMessage }, { t });
  const settings = { url: upstream.url, close_code: 3_777, reconnect: { ...reconnect, rotate: { on } } };
  const product = await startProduct({ config: { upstreams: { default: settings } }, t });
  await product.ready();
  const old = upstream.last;
  const slow = product.request(call(1, "slow"));
  await upstream.until(() => old.texts.length === 1);
  await leftForNext(old, product);
  assert.equal((await product.request(call(2))).status, 200);
  const [, next] = upstream.peers as [Peer, Peer];
  assert.deepEqual(
    [old.texts.length, next.texts.length, old.phase],
    [1, 1, "open"],
    "new requests go to the new connection",
  );
  release();
  const reply = await slow;
  assert.deepEqual([reply.status, await reply.json()], [200, { jsonrpc: "2.0", id: 1, result: [1] }]);
  await upstream.until(() => old.phase === "ended");
  assert.equal(old.closeFrame?.code, 3_777);
  assert.deepEqual([upstream.peers.length, next.phase], [2, "open"]);
});

test("repeated rotation by age under load answers every request, and each reached the upstream once", async (t) => {
  const upstream = await startFaultUpstream({}, { t });
  const settings = { url: upstream.url, reconnect: { ...reconnect, rotate: { every: "300ms" } } };
  const product = await startProduct({ config: { upstreams: { default: settings } }, t });
  await product.ready();
  let requested = 0;
  const client = async (): Promise<void> => {
    while (upstream.peers.length < 6) {
      const id = ++requested;
      const response = await product.request(call(id));
      assert.equal(response.status, 200, await response.clone().text());
      assert.deepEqual(await response.json(), { jsonrpc: "2.0", id, result: [id] });
    }
  };
  await Promise.all([client(), client(), client(), client()]);
  t.diagnostic(`${requested} requests over ${upstream.peers.length} connections`);
  assert.equal(upstream.texts.length, requested);
  await upstream.until(() => upstream.live.length <= 2);
  const { code } = await product.stop();
  assert.equal(code, 0);
});

test("a failed successor changes only the last error; an old connection that owes too long is closed", async (t) => {
  const { onMessage } = holding();
  const upstream = await startFaultUpstream(
    (n) => (n === 2 || n === 3 ? { handshake: { do: "refuse", status: 503 } } : { onMessage }),
    { t },
  );
  const settings = { url: upstream.url, reconnect: { ...reconnect, rotate: { on, drain: "300ms" } } };
  const product = await startProduct({ config: { upstreams: { default: settings } }, t });
  await product.ready();
  const old = upstream.last;
  const slow = product.request(call(1, "slow"));
  await upstream.until(() => old.texts.length === 1);
  old.json({ jsonrpc: "2.0", method: "going_away" });
  await upstream.until(() => upstream.peers.length === 4);
  const failed = await slow;
  assert.equal(failed.status, 502);
  assert.match(await failed.text(), /rotated out.*reconnect\.rotate\.drain/);
  await upstream.until(() => old.phase === "ended");
  assert.equal((await product.request(call(2))).status, 200);
  assert.deepEqual([upstream.last.number, upstream.last.texts.length], [4, 1]);
});

test("a caller waiting for the old connection's pong gets it; a timed-out one learns of the end", async (t) => {
  const held: (() => void)[] = [];
  const { onMessage } = holding();
  const onPing = (peer: Peer, payload: Uint8Array) => held.push(() => peer.frame({ opcode: OPCODE.pong, payload }));
  const upstream = await startFaultUpstream((n) => (n === 1 ? { onMessage, onPing } : { onMessage }), { t });
  const settings = { url: upstream.url, reconnect: { ...reconnect, rotate: { on } } };
  const product = await startProduct({ config: { upstreams: { default: settings } }, t });
  await product.ready();
  const old = upstream.last;
  const late = await product.post("/v1/upstreams/default/request?timeout=100ms", call(1, "slow"));
  assert.equal(late.status, 504);
  const confirmed = product.post("/v1/upstreams/default/send?confirm=pong&timeout=5s", call(2));
  await upstream.until(() => old.texts.length === 2);
  await leftForNext(old, product);
  assert.equal((await product.request(call(3))).status, 200);
  await upstream.until(() => held.length === 2);
  for (const answer of held.splice(0)) answer();
  assert.equal((await confirmed).status, 204);
  await upstream.until(() => old.phase === "ended");
  const ended = await product.fetch(`${late.headers.get("location")}?wait=2`);
  assert.equal(ended.status, 502, await ended.clone().text());
  assert.match(await ended.text(), /connection_lost.*rotated out/);
});

test("an old connection that the exit must destroy is reported as forced", async (t) => {
  const { onMessage } = holding();
  const upstream = await startFaultUpstream((n) => (n === 1 ? { onMessage, onClose: false } : { onMessage }), { t });
  const shutdown = { drain: "100ms", close: "300ms" };
  const settings = { url: upstream.url, reconnect: { ...reconnect, rotate: { on } } };
  const product = await startProduct({ config: { shutdown, upstreams: { default: settings } }, t });
  await product.ready();
  const old = upstream.last;
  const slow = product.request(call(1, "slow"));
  await upstream.until(() => old.texts.length === 1);
  await leftForNext(old, product);
  const { code } = await product.stop();
  assert.equal((await slow).headers.get("sidesocket-code"), "cancelled");
  assert.equal(code, 1, product.stderr());
});

test("a subscription waiting for its turn at the rotation is requested once, on the next connection", async (t) => {
  const upstream = await startFaultUpstream({}, { t });
  const names = ["a", "b", "c"];
  const subscription = (name: string) => ({ request: call(0, name), id: "/result/0", match: { "/method": name } });
  const settings = {
    url: upstream.url,
    limits: { pace: { messages: 1, per: "200ms" } },
    reconnect: { ...reconnect, rotate: { on } },
    subscriptions: Object.fromEntries(names.map((name) => [name, subscription(name)])),
  };
  await startProduct({ config: { upstreams: { default: settings } }, t });
  await upstream.until(() => upstream.texts.length === 1);
  upstream.last.json({ jsonrpc: "2.0", method: "going_away" });
  await upstream.until(() => upstream.peers.length === 2 && upstream.last.texts.length === 3);
  const requested = upstream.last.texts.map((text) => JSON.parse(text).method);
  assert.deepEqual(requested, names);
});
