/** Rows 15 and 50 on every rung of the liveness ladder: each finds a peer that only seems to be there. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { TestContext } from "node:test";
import { problem, type Sent } from "../contract/expect.ts";
import { type Product, startProduct } from "../support/product.ts";
import { sideBySide } from "../support/side-by-side.ts";
import { delay, until } from "../support/until.ts";
import type { Peer } from "./peer.ts";
import { startProxy } from "./proxy.ts";
import { type Answer, echo, requestOf } from "./replies.ts";
import { type Behaviour, startFaultUpstream } from "./upstream.ts";

const test = sideBySide("peers that only seem to be there, and others");

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

async function start(t: TestContext, upstream: { readonly url: string }, keepalive: object): Promise<Product> {
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
    await delay(2_500);
    process.kill(product.pid, "SIGCONT");
    const { pings } = upstream.last;
    await upstream.until(() => upstream.last.pings.length > pings.length + 1);
  }
  await until(async () => (await product.request(call("echo"))).status === 200);
  assert.equal(upstream.peers.length, 1);
  assert.equal((await product.state()).found_dead_by, null);
});

/** 400 kB at 100 kB/s: four seconds, several times as long as each deadline. */
const LARGE_BYTES = 400_000;
const SLOW = { bytesPerSecond: 100_000 };

/** Answers `large` and heartbeats, as the application of an ordinary server does. */
const large: Answer = (peer, frame) => {
  const request = requestOf(frame);
  if (request?.method !== "large") answers(true)(peer, frame);
  else peer.json({ jsonrpc: "2.0", id: request.id, result: "y".repeat(LARGE_BYTES) });
};

for (const [rung, keepalive] of [
  ["ping", { ping: "500ms", pong_within: "500ms" }],
  ["heartbeat", { ...QUIET, heartbeat: { ...heartbeat, within: "2s" } }],
  ["silence", { ...QUIET, silence: "1s" }],
  ["ping that a time-out asks for", { ...QUIET, pong_within: "500ms" }],
] as const) {
  test(`a peer whose bytes are arriving is kept, though the answer to the ${rung} waits behind them`, async (t) => {
    const upstream = await startFaultUpstream({ onMessage: large }, { t });
    const proxy = await startProxy({ to: upstream.port, down: SLOW, t });
    const product = await start(t, proxy, keepalive);
    await product.ready();
    const pending = product.request(call("large"));
    // A neighbour's time-out asks for a pong, too.
    const neighbour = await product.post("/v1/upstreams/default/request?timeout=100ms", call("never"));
    assert.equal(neighbour.status, 504, await neighbour.text());
    assert.equal((await pending).status, 200);
    assert.equal((await product.state()).found_dead_by, null);
  });
}

test("a peer whose bytes stop in the middle of a reply is found dead", async (t) => {
  const upstream = await startFaultUpstream({ onMessage: large }, { t });
  const proxy = await startProxy({ to: upstream.port, down: SLOW, t });
  const product = await start(t, proxy, { ping: "300ms", pong_within: "300ms" });
  await product.ready();
  const pending = product.request(call("large"));
  await proxy.until(() => proxy.down.bytes > LARGE_BYTES / 4);
  proxy.down.set({ blackHole: true });
  const stopped = performance.now();
  await problem(await pending, { status: 502, code: "connection_lost", sent: "maybe", detail: /ping/ });
  const ms = performance.now() - stopped;
  assert.ok(ms <= 900 + 2_000, `${ms} ms`);
});

for (const payload of ["", "another"]) {
  test(`a peer that never sends the pong it was asked for, but others ("${payload}"), is kept`, async (t) => {
    const onPing = (peer: Peer) => peer.pong(Buffer.from(payload));
    const upstream = await startFaultUpstream({ onPing, onMessage: answers(true) }, { t });
    const product = await start(t, upstream, { ping: "100ms", pong_within: "1s" });
    const peer = await upstream.opened();
    await upstream.until(() => peer.pings.length >= 20);
    assert.equal((await product.state()).found_dead_by, null);
    const confirmed = await product.post("/v1/upstreams/default/send?confirm=pong&timeout=300ms", call("never"));
    await problem(confirmed, { status: 504, code: "reply_timeout", sent: "maybe", detail: /no pong/ });
  });
}

test("an upstream whose pings are off gets none, and no pong can confirm a message", async (t) => {
  const upstream = await startFaultUpstream({ onPing: false, onMessage: answers(true) }, { t });
  const product = await start(t, upstream, { ping: "off", pong_within: "100ms" });
  await product.ready();
  const late = await product.post("/v1/upstreams/default/request?timeout=100ms", call("never"));
  await problem(late, { status: 504, code: "reply_timeout", sent: "maybe", detail: /no reply/ });
  const refused = await product.post("/v1/upstreams/default/send?confirm=pong", call("echo"));
  await problem(refused, { status: 400, code: "invalid_request", sent: "no", detail: /keepalive\.ping: off/ });
  assert.equal((await product.request(call("echo"))).status, 200);
  assert.deepEqual([upstream.peers.length, upstream.last.pings.length], [1, 0]);
});
