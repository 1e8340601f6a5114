/** Upstreams that are absent, refuse us or stay silent: nothing is sent, and the service recovers by itself. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startFaultUpstream } from "../faults/upstream.ts";
import { startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import { problem, rpcProblem, timed, unstarved } from "./expect.ts";

const REQUEST = "/v1/upstreams/default/request";
const reconnect = { from: "20ms", to: "200ms", refused: "300ms" };
const call = (method: string, id: unknown = 1) => ({ jsonrpc: "2.0", id, method, params: [] });

test("an absent upstream: alive, not ready, refused at once; ready when it appears", async (t) => {
  const upstream = await startUpstream({ t });
  await upstream.stop();
  const product = await startProduct({ config: { upstreams: { default: { url: upstream.url, reconnect } } }, t });
  const down = { status: 503, code: "upstream_down", sent: "no", detail: /ECONNREFUSED/ } as const;
  const [response, ms] = await timed(product.request(call("echo")));
  assert.equal((await problem(response, down)).upstream, "default");
  assert.ok(ms < 2_500, `${ms} ms`);
  await rpcProblem(await product.rpc(call("echo", "mine")), { ...down, id: "mine" });
  assert.equal((await product.fetch("/livez")).status, 200);
  for (const path of ["/readyz", "/healthz"]) {
    const answer = await product.fetch(path);
    assert.equal(answer.status, 503);
    assert.match(await answer.text(), /"status":"not_ready"/);
  }
  assert.match(String((await product.state()).last_error), /ECONNREFUSED/);
  await upstream.restart();
  await product.ready();
  assert.equal((await product.request(call("echo"))).status, 200);
});

test("a refused upgrade is upstream_down at once, is retried with a pause, and recovers", async (t) => {
  const upstream = await startFaultUpstream({ handshake: { do: "refuse", status: 401 } }, { t });
  const slow = { ...reconnect, refused: "700ms" };
  const product = await startProduct({ config: { upstreams: { default: { url: upstream.url, reconnect: slow } } }, t });
  await until(async () => (await product.state()).phase === "refused");
  const { retry_in_ms, last_error } = await product.state();
  assert.ok(Number(retry_in_ms) <= 875, String(retry_in_ms));
  assert.match(String(last_error), /401/);
  await problem(await product.request(call("echo")), { status: 503, code: "upstream_down", sent: "no", detail: /401/ });
  assert.equal((await product.fetch("/readyz")).status, 503);
  upstream.script = {};
  await product.ready();
  const gaps = upstream.peers.slice(1).map(({ since }, at) => since - (upstream.peers[at]?.since ?? 0));
  assert.ok(gaps.length > 0 && gaps.every((gap) => gap >= 500), `three quarters of 700 ms and more: ${gaps}`);
});

test("a refused login is login_refused, and nothing was sent", async (t) => {
  const upstream = await startUpstream({ t, onMessage: (_, connection) => connection.send({ type: "auth_invalid" }) });
  const match = { match: { "/type": "auth_ok" }, reject: { "/type": "auth_invalid" } };
  const greeting = [{ send: { type: "auth" } }, { expect: match }];
  const product = await startProduct({ config: { upstreams: { default: { url: upstream.url, greeting } } }, t });
  await until(async () => (await product.state()).phase === "refused");
  await problem(await product.request(call("echo")), { status: 502, code: "login_refused", sent: "no" });
  assert.deepEqual(upstream.texts, ['{"type":"auth"}']);
});

test("a silent upstream holds requests for 5 s and no longer", async (t) => {
  const upstream = await startFaultUpstream({ handshake: { do: "silent" } }, { t });
  const product = await startProduct({ upstream, t });
  const patient = timed(product.request(call("echo")));
  await unstarved(async () => {
    const [quick, quickMs] = await timed(product.post(`${REQUEST}?timeout=200ms`, call("echo")));
    await problem(quick, { status: 504, code: "reply_timeout", sent: "no" });
    assert.ok(quickMs >= 195 && quickMs < 2_500, `${quickMs} ms`);
  });
  const [response, ms] = await patient;
  await problem(response, { status: 503, code: "upstream_down", sent: "no" });
  assert.ok(ms >= 4_900 && ms < 6_500, `${ms} ms`);
  assert.equal(upstream.peers.length, 1);
});
