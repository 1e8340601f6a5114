/** Rows 15 and 50 on every rung of the liveness ladder: each finds a peer that only seems to be there. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { problem, type Sent } from "../contract/expect.ts";
import { type Product, startProduct } from "../support/product.ts";
import { delay, until } from "../support/until.ts";
import { type Answer, echo } from "./replies.ts";
import { type Behaviour, type FaultUpstream, startFaultUpstream } from "./upstream.ts";

const call = (method: string) => ({ jsonrpc: "2.0", id: 1, method, params: [] });
const heartbeat = { send: { op: "ping" }, every: "500ms", expect: { match: { "/op": "pong" } }, within: "500ms" };
/** Longer than the test, to silence this rung. */
const QUIET = { ping: "10m" };

/** Echoes, and answers heartbeats while `beats` is true. */
const answers =
  (beats: boolean): Answer =>
  (peer, frame) => {
    const text = frame.payload.toString("utf8");
    if (!text.includes('"op"') && !text.includes('"never"')) echo(peer, frame);
    else if (beats && text.includes('"op"')) peer.json({ op: "pong" });
  };

const FOUND_AFTER_MS = 1_000;

const rungs: [name: string, keepalive: object, dead: Behaviour, sent: Sent][] = [
  ["ping", { ping: "500ms", pong_within: "500ms" }, { onPing: false, onMessage: answers(false) }, "maybe"],
  ["heartbeat", { ...QUIET, heartbeat }, { onMessage: answers(false) }, "maybe"],
  ["silence", { ping: "200ms", pong_within: "5s", silence: "1s" }, { onMessage: answers(false) }, "yes"],
];

async function start(t: TestContext, upstream: FaultUpstream, keepalive: object): Promise<Product> {
  const reconnect = { from: "50ms", to: "100ms" };
  return startProduct({ config: { upstreams: { default: { url: upstream.url, keepalive, reconnect } } }, t });
}

for (const [name, keepalive, dead, sent] of rungs) {
  test(`row 15: the ${name} finds a peer that only seems to be there, and the service recovers`, async (t) => {
    const healthy: Behaviour = { onMessage: answers(true) };
    const upstream = await startFaultUpstream((n) => (n === 1 ? dead : healthy), { t });
    const product = await start(t, upstream, keepalive);
    const first = await upstream.opened();
    const opened = performance.now();
    const pending = product.request(call("never"));
    await upstream.until(() => first.phase === "ended");
    const ms = performance.now() - opened;
    t.diagnostic(`${name}: found after ${Math.round(ms)} ms`);
    assert.ok(ms >= FOUND_AFTER_MS * 0.9, `${ms} ms: too soon`);
    assert.ok(ms <= FOUND_AFTER_MS * 1.1 + 2_000, `${ms} ms: too late, whatever the machine does`);
    await problem(await pending, { status: 502, code: "connection_lost", sent, detail: new RegExp(name) });
    await upstream.until(() => upstream.peers.length > 1);
    await product.ready();
    const state = await product.state();
    assert.equal(state.found_dead_by, name);
    assert.match(String(state.last_error), new RegExp(name));
    assert.equal((await product.request(call("echo"))).status, 200);
  });
}

test("a peer that answers on every rung is kept, and its answers are not delivered as messages", async (t) => {
  const upstream = await startFaultUpstream({ onMessage: answers(true) }, { t });
  const often = { ...heartbeat, every: "20ms", within: "20s" };
  const keepalive = { ping: "20ms", pong_within: "20s", silence: "20s", heartbeat: often };
  const product = await start(t, upstream, keepalive);
  await upstream.until(() => upstream.texts.length >= 10 && upstream.peers[0]?.pings.length);
  assert.equal((await product.request(call("echo"))).status, 200);
  await upstream.until(() => upstream.texts.length >= 20);
  const state = await product.state();
  assert.deepEqual([upstream.peers.length, state.found_dead_by, state.phase], [1, null, "ready"]);
  assert.ok(Number(state.round_trip_ms) > 0, JSON.stringify(state));
  assert.ok(Number(state.last_frame_age_ms) < 20_000, JSON.stringify(state));
  assert.equal((state.counters as Record<string, number>).messages, 0);
});

test("row 50: after the process was suspended no rung blames the peer, and nothing reconnects", async (t) => {
  const talks: Behaviour = {
    onMessage: answers(true),
    onOpen: (peer) => {
      const tick = () => {
        peer.json({ tick: true });
        peer.later(100, tick);
      };
      tick();
    },
  };
  const upstream = await startFaultUpstream(talks, { t });
  const keepalive = { ping: "300ms", pong_within: "1s", silence: "1500ms", heartbeat: { ...heartbeat, within: "1s" } };
  const product = await start(t, upstream, keepalive);
  await upstream.opened();
  for (let n = 0; n < 3; n++) {
    process.kill(product.pid, "SIGSTOP");
    await delay(3_000);
    process.kill(product.pid, "SIGCONT");
    const { pings } = upstream.last;
    await upstream.until(() => upstream.last.pings.length > pings.length + 1);
  }
  await until(async () => (await product.request(call("echo"))).status === 200);
  assert.equal(upstream.peers.length, 1);
  assert.equal((await product.state()).found_dead_by, null);
});
