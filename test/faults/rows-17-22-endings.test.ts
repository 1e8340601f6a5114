/** Fault rows 17 to 22: peers that do not answer or are slow, and every way to close. */
import assert from "node:assert/strict";
import { problem, timed, unstarved } from "../contract/expect.ts";
import { sideBySide } from "../support/side-by-side.ts";
import { startUpstream } from "../support/upstream.ts";
import { startProxy } from "./proxy.ts";
import { never } from "./replies.ts";
import { intact, QUICK, scene, scenes } from "./scene.ts";
import { type FaultUpstream, startFaultUpstream } from "./upstream.ts";

const test = sideBySide("rows 17 to 22", 2);

const lost = { status: 502, code: "connection_lost", sent: "maybe" } as const;

test("row 17: a peer that answers only pings times requests out, and keeps its connection", async (t) => {
  const upstream = await startFaultUpstream({ onMessage: never }, { t });
  const here = await scene(t, upstream, { keepalive: { ping: "50ms", pong_within: "5s" } });
  await here.product.ready();
  await unstarved(async () => {
    const failures = await here.counter("failures");
    const all = await Promise.all([1, 2, 3].map(() => here.request("echo", [], "?timeout=600ms")));
    for (const response of all) {
      assert.equal(response.status, 504);
      // A pong came after the request was sent, which proves its delivery.
      assert.equal(response.headers.get("sidesocket-sent"), "yes", await response.text());
    }
    assert.equal(await here.counter("failures"), failures + 3);
  });
  assert.equal((await here.state()).phase, "ready");
  assert.equal(upstream.peers.length, 1);
  assert.ok(upstream.last.pings.length >= 3);
  assert.equal((await here.product.stop()).code, 0);
});

test("row 18: latency and 1 kB/s of one upstream keep its deadlines, and delay no other upstream", async (t) => {
  const upstream = await startUpstream({ t });
  const far = await startProxy({ to: upstream.port, down: { delayMs: 600 }, t });
  const thin = await startProxy({ to: upstream.port, t });
  const of = await scenes(t, { far: [far], thin: [thin], near: [upstream] });
  const { product } = of("near");
  await product.ready();
  thin.down.set({ bytesPerSecond: 1_000 });
  const slow = [
    of("far").request("echo", ["late"], "?timeout=10s"),
    of("far").request("echo", ["too late"], "?timeout=100ms"),
    of("thin").request("big", [2_000], "?timeout=20s"),
    of("thin").request("big", [2_000], "?timeout=100ms"),
  ];
  const statuses = Promise.all(slow.map(async (response) => (await response).status));
  let slowEnded = false;
  void statuses.then(() => {
    slowEnded = true;
  });
  const near: number[] = [];
  for (let n = 0; n < 20; n += 1) {
    const [response, ms] = await timed(of("near").rpc("echo", [n]));
    assert.equal(response.status, 200);
    await response.body?.cancel();
    near.push(ms);
  }
  assert.equal(slowEnded, false, "the near upstream did not wait for the slow ones");
  assert.ok((near.sort((a, b) => a - b)[10] ?? 0) < 300, `${near}`);
  assert.deepEqual(await statuses, [200, 504, 200, 504]);
  far.heal();
  thin.heal();
  await intact(of("thin"));
});

/** A close code that may appear on the wire; others are violations (row 23). */
const close =
  (code: number | undefined, reason = "") =>
  (peer: FaultUpstream["last"]) =>
    peer.close(code, reason);

test("row 19: close codes 1000, 1001 and none fail requests as maybe sent; the next connection serves", async (t) => {
  const codes = [1000, 1001, undefined];
  const upstream = await startFaultUpstream(
    (n) => (n <= codes.length ? { onMessage: close(codes[n - 1], "as told") } : {}),
    { t },
  );
  const here = await scene(t, upstream);
  for (const code of codes) {
    await here.product.ready();
    const detail = new RegExp(`closed the connection with code ${code ?? 1005}`);
    await problem(await here.request("echo"), { ...lost, detail });
  }
  await intact(here);
  assert.equal(upstream.peers.length, codes.length + 1);
});

/** Milliseconds from the end of the first connection to the second. */
async function pause(upstream: FaultUpstream): Promise<number> {
  await upstream.until(() => upstream.peers.length > 1, { within: 15_000, what: "the next attempt" });
  const [first, second] = upstream.peers;
  return (second?.since ?? 0) - (first?.endedAt ?? 0);
}

test("rows 20 and 21: close codes set the pause: policy slowly, a fault soon, 'try again later' later", async (t) => {
  const codes = [1008, 4401, 4403, 1011, 1012, 1013];
  const upstreams = await Promise.all(
    codes.map(async (code) => {
      const upstream = await startFaultUpstream((n) => (n === 1 ? { onMessage: close(code) } : {}), { t });
      return [String(code), [upstream, { reconnect: { ...QUICK, refused: "1500ms" } }]] as const;
    }),
  );
  const of = await scenes(t, Object.fromEntries(upstreams));
  await of("1008").product.ready();
  const responses = await Promise.all(codes.map((code) => of(String(code)).request("echo")));
  for (const response of responses) await problem(response, lost);
  const pauses = new Map<number, number>();
  for (const [code, [upstream]] of upstreams) pauses.set(Number(code), await pause(upstream));
  const shown = JSON.stringify([...pauses]);
  for (const code of [1008, 4401, 4403]) assert.ok((pauses.get(code) ?? 0) >= 1_050, shown);
  for (const code of [1011, 1012]) assert.ok((pauses.get(code) ?? 0) < (pauses.get(1013) ?? 0), shown);
  assert.ok((pauses.get(1013) ?? 0) >= 1_000, shown);
  await intact(of("1011"));
});

/** Log injection in 123 bytes. */
const NASTY = `\u001b[31mred\u0007\r\n{"level":"fatal"}\u202e`;

test("row 22: every code is logged with its reason made harmless, and the service recovers", async (t) => {
  const codes = [...Array.from({ length: 16 }, (_, n) => 1000 + n), 3000, 4000, 4999];
  const illegal = [1004, 1005, 1006, 1015];
  const upstreams = await Promise.all(
    codes.map(async (code) => {
      const reason = (NASTY + "x".repeat(200)).slice(0, 110);
      const upstream = await startFaultUpstream((n) => (n === 1 ? { onOpen: close(code, reason) } : {}), { t });
      return [String(code), [upstream, { required: code !== 1013 }]] as const;
    }),
  );
  // A thread each: not all of them at once.
  for (let at = 0; at < upstreams.length; at += 5) {
    const some = upstreams.slice(at, at + 5);
    const of = await scenes(t, Object.fromEntries(some));
    for (const [name] of some) {
      const code = Number(name);
      const { logged, product } = of(name);
      if (illegal.includes(code)) await logged(/broke the WebSocket protocol/);
      else {
        const line = await logged(new RegExp(`closed the connection with code ${code} \\(`));
        assert.match(line, /red.*level/);
        assert.doesNotMatch(line, /\p{C}/u, JSON.stringify(line));
        assert.ok(line.length < 250, line);
      }
      assert.ok(!product.stderr().includes("\u001b"));
    }
    await intact(of(some[0]?.[0] ?? ""));
  }
});
