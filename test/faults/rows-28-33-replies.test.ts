/** Fault rows 28 to 33: replies that are unknown, doubled, late, shuffled, or of a lost connection. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { problem } from "../contract/expect.ts";
import { seeded, shuffle } from "../support/random.ts";
import { until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import { startProxy } from "./proxy.ts";
import { forged, type Request, repeated, replyTo, requestOf } from "./replies.ts";
import { call, intact, scene } from "./scene.ts";
import { startFaultUpstream } from "./upstream.ts";

const result = async (response: Response): Promise<unknown> =>
  ((await response.json()) as { readonly result?: unknown }).result;

test("row 28: replies with unknown ids settle no request, and are counted", async (t) => {
  const upstream = await startFaultUpstream({ onMessage: forged }, { t });
  const here = await scene(t, upstream);
  await here.product.ready();
  const all = await Promise.all(Array.from({ length: 50 }, (_, n) => here.rpc("echo", [n]).then(result)));
  assert.deepEqual(
    all,
    Array.from({ length: 50 }, (_, n) => [n]),
  );
  const { unclaimed = 0, messages = 0 } = (await here.state()).counters ?? {};
  assert.ok(unclaimed >= 50 && messages >= 50 * 10, `${unclaimed} unclaimed, ${messages} messages`);
  await intact(here);
});

test("row 29: the first of several replies with one id is taken, and the others are counted", async (t) => {
  const upstream = await startFaultUpstream({ onMessage: repeated(3) }, { t });
  const here = await scene(t, upstream);
  await here.product.ready();
  for (let n = 0; n < 20; n += 1) assert.deepEqual(await result(await here.rpc("echo", [n])), [n]);
  await until(async () => (await here.counter("unclaimed")) === 40, { what: "the others to be counted" });
  assert.equal(await here.counter("replies"), 20);
  await intact(here);
});

test("row 30: a reply after its deadline settles no later request, is counted as late, and is kept", async (t) => {
  const held: (() => void)[] = [];
  const upstream = await startFaultUpstream(
    {
      onMessage: (peer, frame) => {
        const request = requestOf(frame) ?? {};
        if (request.method === "late") held.push(() => peer.json(replyTo(request, "late")));
        else peer.json(replyTo(request));
      },
    },
    { t },
  );
  const here = await scene(t, upstream);
  await here.product.ready();
  const late = Array.from({ length: 50 }, () => here.request("late", [], "?timeout=500ms"));
  const places: string[] = [];
  for (const response of await Promise.all(late)) {
    assert.equal(response.headers.get("sidesocket-code"), "reply_timeout", await response.text());
    const place = response.headers.get("location");
    if (place !== null) places.push(place);
  }
  // On a starved machine some timed out before they were sent. Once this reply is here, all sent ones have arrived.
  assert.equal((await here.rpc("echo")).status, 200);
  const sent = held.length;
  assert.ok(sent > 0);
  assert.equal(new Set(places).size, sent, "each sent request has its own reply location");
  for (const place of places) assert.equal((await here.product.fetch(place)).status, 202, "it may still arrive");
  for (let n = 0; held.length > 0; n += 1) {
    const replies = Promise.all(Array.from({ length: 20 }, (_, each) => here.rpc("echo", [n, each]).then(result)));
    for (const reply of held.splice(0, 5)) reply();
    assert.deepEqual(
      await replies,
      Array.from({ length: 20 }, (_, each) => [n, each]),
    );
  }
  await until(async () => (await here.counter("late")) === sent, { what: "the late ones to be counted" });
  for (const place of places) {
    const kept = await here.product.fetch(`${place}?wait=10`);
    assert.equal(kept.status, 200);
    assert.equal(await result(kept), "late");
  }
  await intact(here);
});

const IN_FLIGHT = 10_000;
const PER_BATCH = 100;

/** Batches leave an eighth of the places to single requests. */
const FOR_BATCHES = Math.ceil((IN_FLIGHT * 8) / 7);

test(`row 31: ${IN_FLIGHT} requests in flight, answered in any order, each get their own reply`, async (t) => {
  const held: Request[] = [];
  const upstream = await startFaultUpstream(
    {
      onMessage: (peer, frame) => {
        const request = requestOf(frame) ?? {};
        if (request.method === "echo") return peer.json(replyTo(request));
        if (held.push(request) < IN_FLIGHT) return;
        for (const each of shuffle(held, seeded(31))) peer.json(replyTo(each));
      },
    },
    { t },
  );
  const here = await scene(t, upstream, { limits: { in_flight: FOR_BATCHES } });
  await here.product.ready();
  const batches = Array.from({ length: IN_FLIGHT / PER_BATCH }, async (_, batch) => {
    const calls = Array.from({ length: PER_BATCH }, (_, n) => call("hold", [`${batch}/${n}`], "same"));
    const response = await here.product.rpc(calls, { signal: AbortSignal.timeout(60_000) });
    const replies = (await response.json()) as readonly { readonly id: unknown; readonly result?: unknown }[];
    assert.deepEqual(
      replies,
      calls.map(({ params }) => ({ jsonrpc: "2.0", id: "same", result: params })),
    );
    return replies.length;
  });
  const counts = await Promise.all(batches);
  assert.equal(
    counts.reduce((sum, count) => sum + count),
    IN_FLIGHT,
  );
  assert.equal(upstream.peers.length, 1);
  await intact(here);
});

test("row 32: a reply to the previous connection, sent on the next one, settles no request", async (t) => {
  const lost: Request[] = [];
  const upstream = await startFaultUpstream(
    (n) => ({
      onMessage: (peer, frame) => {
        const request = requestOf(frame) ?? {};
        if (n === 1) {
          if (lost.push(request) === 20) peer.reset();
          return;
        }
        for (const old of lost) peer.json(replyTo(old, "of the connection before"));
        peer.json(replyTo(request));
      },
    }),
    { t },
  );
  const here = await scene(t, upstream);
  await here.product.ready();
  const first = await Promise.all(Array.from({ length: 20 }, () => here.request("echo")));
  for (const response of first) await problem(response, { status: 502, code: "connection_lost", sent: "maybe" });
  await here.product.ready();
  const all = await Promise.all(Array.from({ length: 20 }, (_, n) => here.rpc("echo", [n]).then(result)));
  assert.deepEqual(
    all,
    Array.from({ length: 20 }, (_, n) => [n]),
  );
  assert.equal(await here.counter("unclaimed"), 20 * 20);
  await intact(here);
});

test("row 32: replies on the old connection after its successor is there settle no request", async (t) => {
  const upstream = await startUpstream({
    t,
    onMessage: (message, connection) => connection.send(`reply to ${message}`),
  });
  const proxy = await startProxy({ to: upstream.port, t });
  const here = await scene(t, proxy, { protocol: "text" });
  await here.product.ready();
  const makeRequest = (text: string, query = ""): Promise<Response> =>
    here.product.post(`/v1/upstreams/default/request${query}`, text, { headers: { "Content-Type": "text/plain" } });
  // Its reply stays on the way until the connection is replaced, and comes out after that.
  proxy.down.set({ blackHole: true });
  await problem(await makeRequest("old", "?timeout=100ms"), { status: 504, code: "reply_timeout", sent: "maybe" });
  await upstream.until(() => upstream.connections.length === 2, { within: 30_000, what: "a second connection" });
  proxy.down.heal();
  for (let n = 0; n < 20; n += 1) assert.equal(await (await makeRequest(`new ${n}`)).text(), `reply to new ${n}`);
  assert.equal((await here.product.stop()).code, 0);
});

test("row 33: clients that all use one id, on every route, get their own replies", async (t) => {
  const upstream = await startUpstream({ t });
  const here = await scene(t, upstream);
  await here.product.ready();
  const ids = [1, "1", 1.5, null, "toString", "__proto__"];
  const requests = Array.from({ length: 120 }, async (_, n) => {
    const id = ids[n % ids.length];
    const body = call("echo", [n], id);
    const response = n % 2 === 0 ? await here.product.rpc(body) : await here.product.request(body);
    assert.deepEqual(await response.json(), { jsonrpc: "2.0", id, result: [n] });
  });
  await Promise.all(requests);
  await intact(here);
});
