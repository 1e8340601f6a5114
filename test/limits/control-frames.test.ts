/** A peer that sends nothing but control frames. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeFrame, OPCODE } from "../faults/frames.ts";
import { startProduct } from "../support/product.ts";
import { pollLive, probed, probedThread, watchTurns } from "../support/turns.ts";
import { until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";

for (const [name, opcode] of [
  ["pongs", OPCODE.pong],
  ["pings", OPCODE.ping],
] as const) {
  test(`a peer that floods with ${name} is left with that reason, and others are served`, async (t) => {
    const upstream = await startUpstream({ t });
    const other = await startUpstream({ t });
    const reconnect = { from: "5s", to: "5s" };
    const upstreams = { default: { url: upstream.url, reconnect, ...probedThread }, other: { url: other.url } };
    const product = await startProduct({ config: { upstreams }, t, ...probed });
    await product.ready();
    const turns = watchTurns(product);
    const live = pollLive(product);
    const frame = encodeFrame({ opcode, payload: "", fin: true });
    const flood = upstream.last.flood(Buffer.concat(Array.from({ length: 30_000 }, () => frame)), () => true);
    const left = async () =>
      /more than 1000 pings and unsolicited pongs/.test(String((await product.state()).last_error));
    await until(left, { within: 10_000, what: () => product.stderr() });
    await flood;
    const response = await product.post("/v1/upstreams/other/request", {
      jsonrpc: "2.0",
      id: 1,
      method: "echo",
      params: [],
    });
    assert.equal(response.status, 200);
    await live.end();
    // One read brings thirty thousand frames, which ws takes apart in one piece.
    turns.assertShort(200);
  });
}

test("a peer that pings now and then is kept, and so is one that answers many pings", async (t) => {
  const upstream = await startUpstream({ t });
  const product = await startProduct({ upstream, t });
  await product.ready();
  for (let n = 0; n < 500; n++) upstream.last.socket.ping();
  const sent = Array.from({ length: 100 }, () =>
    product.post("/v1/upstreams/default/send?confirm=pong", { jsonrpc: "2.0", method: "note" }),
  );
  for (const response of await Promise.all(sent)) assert.equal(response.status, 204);
  assert.equal(upstream.connections.length, 1);
});
