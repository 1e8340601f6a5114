/** Failover: an equivalent takes over for an absent upstream, and nothing that may have been sent is sent again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { never } from "../faults/replies.ts";
import { startFaultUpstream } from "../faults/upstream.ts";
import { startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { problem } from "./expect.ts";

const reconnect = { from: "1m", to: "1m", refused: "1m" };
const call = (id: number) => ({ jsonrpc: "2.0", id, method: "echo", params: [id] });
const by = (response: Response) => [response.status, response.headers.get("sidesocket-upstream")];

test("a certainly unsent request goes to the next upstream on every route, and the response names it", async (t) => {
  const first = await startFaultUpstream({ handshake: { do: "refuse", status: 401 } }, { t });
  const second = await startFaultUpstream({ handshake: { do: "reset" } }, { t });
  const third = await startFaultUpstream({}, { t });
  const upstreams = {
    a: { url: first.url, reconnect, failover: ["b", "c"] },
    b: { url: second.url, reconnect, required: false },
    c: { url: third.url, reconnect },
  };
  const product = await startProduct({ config: { upstreams }, t });
  const phase = async (name: string) => (await product.state(name)).phase;
  await until(
    async () => (await phase("a")) === "refused" && (await phase("b")) === "waiting" && (await phase("c")) === "ready",
  );
  const response = await product.post("/v1/upstreams/a/request", call(1));
  assert.deepEqual([by(response), await response.json()], [[200, "c"], { jsonrpc: "2.0", id: 1, result: [1] }]);
  assert.deepEqual(by(await product.post("/rpc/a", call(2))), [200, "c"]);
  const batch = await product.post("/rpc/a", [call(3), call(4)]);
  assert.deepEqual([by(batch), ((await batch.json()) as unknown[]).length], [[200, "c"], 2]);
  assert.deepEqual(by(await product.post("/v1/upstreams/a/send", call(5))), [204, "c"]);
  assert.deepEqual(
    by(await product.post("/v1/upstreams/c/request", call(6))),
    [200, null],
    "c itself has no equivalents",
  );
  await third.until(() => third.texts.length === 6);
  await third.stop();
  await until(async () => (await phase("c")) === "waiting");
  const nobody = await product.post("/v1/upstreams/a/request", call(7));
  const facts = await problem(nobody, { status: 503, code: "upstream_down", sent: "no", detail: /401/ });
  assert.equal(facts.upstream, "a", "if all are absent, the failure is the first one's");
});

test("bytes that the first upstream could not take go to the next in full, whatever their size", async (t) => {
  const first = await startFaultUpstream({ handshake: { do: "reset" } }, { t });
  const second = await startFaultUpstream({ onMessage: (peer, frame) => peer.binary(frame.payload) }, { t });
  const upstreams = {
    a: { url: first.url, protocol: "text", reconnect, failover: ["b"] },
    b: { url: second.url, protocol: "text", reconnect },
  };
  const product = await startProduct({ config: { upstreams }, t });
  const phase = async (name: string) => (await product.state(name)).phase;
  await until(async () => (await phase("b")) === "ready");
  for (const bytes of [new Uint8Array(10).fill(1), new Uint8Array(200_000).fill(2)]) {
    const body = Buffer.from(bytes);
    const headers = { "Content-Type": "application/octet-stream" };
    const response = await fetch(`${product.url}/v1/upstreams/a/request`, { method: "POST", headers, body });
    assert.deepEqual(by(response), [200, "b"], product.stderr());
    assert.deepEqual(new Uint8Array(await response.arrayBuffer()), bytes);
  }
});

test("a request that may have been sent is not sent to another upstream", async (t) => {
  const first = await startFaultUpstream({ onMessage: never }, { t });
  const second = await startFaultUpstream({}, { t });
  const upstreams = { a: { url: first.url, reconnect, failover: ["b"] }, b: { url: second.url, reconnect } };
  const product = await startProduct({ config: { upstreams }, t });
  await product.ready();
  const late = await product.post("/v1/upstreams/a/request?timeout=200ms", call(1));
  assert.equal(late.status, 504);
  const pending = Array.from({ length: 20 }, (_, n) => product.post("/v1/upstreams/a/request", call(n)));
  await first.until(() => first.texts.length === 21);
  first.last.reset();
  for (const response of await Promise.all(pending)) {
    const { upstream } = await problem(response, { status: 502, code: "connection_lost", sent: "maybe" });
    assert.equal(upstream, "a");
  }
  assert.deepEqual(second.texts, []);
});
