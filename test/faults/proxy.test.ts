/** The fault proxy, judged by a healthy WebSocket client. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { delay, until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import { Client } from "./client.ts";
import { startProxy } from "./proxy.ts";
import { startFaultUpstream } from "./upstream.ts";

describe("the proxy, judged by the ws client", () => {
  test("a proxy without toxics passes everything, and counts it", async (t) => {
    const upstream = await startUpstream({ t });
    const proxy = await startProxy({ to: upstream.port, t });
    const client = await Client.open(proxy.url, t);
    client.request(1, "big", [3_000_000]);
    await client.replies(1);
    assert.ok(client.texts[0] !== undefined && client.texts[0].length > 3_000_000);
    assert.ok(proxy.down.bytes > 3_000_000);
    client.socket.close(1000);
    assert.equal((await client.closed()).code, 1000);
    await proxy.until(() => proxy.live.length === 0, { what: "the link to end with its sockets" });
  });

  for (const side of ["up", "down"] as const) {
    test(`a delay ${side} postpones each reply and keeps the order`, async (t) => {
      const upstream = await startUpstream({ t });
      const proxy = await startProxy({ to: upstream.port, t });
      const client = await Client.open(proxy.url, t);
      proxy[side].set({ delayMs: 120 });
      const start = performance.now();
      for (let id = 1; id <= 20; id += 1) client.request(id, "echo", [id]);
      await client.replies(20);
      const took = performance.now() - start;
      assert.ok(took >= 118 && took < 1_000, `${took} ms`);
      assert.deepEqual(
        client.messages.map((message) => (message as { id: number }).id),
        Array.from({ length: 20 }, (_, n) => n + 1),
      );
    });

    test(`a black hole ${side} passes nothing until it is healed, then everything`, async (t) => {
      const upstream = await startUpstream({ t });
      const proxy = await startProxy({ to: upstream.port, t });
      const client = await Client.open(proxy.url, t);
      proxy[side].set({ blackHole: true });
      const before = proxy[side].bytes;
      for (let id = 1; id <= 5; id += 1) client.request(id, "echo");
      if (side === "down") await upstream.until(() => upstream.texts.length === 5);
      await delay(100); // No event signals that nothing arrives.
      assert.equal(proxy[side].bytes, before);
      assert.equal(client.texts.length, 0);
      assert.equal(upstream.texts.length, side === "up" ? 0 : 5);
      proxy.heal();
      await client.replies(5);
    });
  }

  test("a black hole in both directions swallows FIN: neither side learns of the other's end", async (t) => {
    const upstream = await startUpstream({ t });
    const proxy = await startProxy({ to: upstream.port, t });
    const client = await Client.open(proxy.url, t);
    proxy.up.set({ blackHole: true });
    proxy.down.set({ blackHole: true });
    client.socket.terminate();
    await client.closed();
    await delay(100); // No event signals that nothing arrives.
    assert.equal(upstream.live.length, 1);
    proxy.heal();
    await upstream.until(() => upstream.live.length === 0);
  });

  test("a black hole eventually jams a flood", async (t) => {
    const upstream = await startUpstream({ t });
    const proxy = await startProxy({ to: upstream.port, t, up: {} });
    const client = await Client.open(proxy.url, t);
    proxy.up.set({ blackHole: true });
    for (let n = 0; n < 32; n += 1) client.socket.send(new Uint8Array(1024 * 1024));
    await delay(200); // The kernel buffers what it can, and no event signals that it stopped.
    assert.ok(client.socket.bufferedAmount > 8 * 1024 * 1024, `${client.socket.bufferedAmount}`);
    proxy.heal();
    await until(() => client.socket.bufferedAmount === 0, { what: "the flood to drain" });
    await upstream.until(() => upstream.messages.length === 32);
  });

  test("reset gives both sides RST", async (t) => {
    const upstream = await startFaultUpstream({}, { t });
    const proxy = await startProxy({ to: upstream.port, t });
    const client = await Client.open(proxy.url, t);
    await upstream.opened();
    proxy.reset();
    assert.equal((await client.closed()).code, 1006);
    await upstream.until(() => upstream.last.phase === "ended");
    assert.equal(upstream.last.clientEnded, "reset");
  });

  for (const cutBy of ["fin", "reset"] as const) {
    test(`a cut after n bytes by ${cutBy} lets exactly n through, ending within a frame`, async (t) => {
      const upstream = await startUpstream({ t });
      const proxy = await startProxy({ to: upstream.port, t });
      const client = await Client.open(proxy.url, t);
      const cutAfterBytes = proxy.down.bytes + 1_000;
      proxy.down.set({ cutAfterBytes, cutBy });
      client.request(1, "big", [100_000]);
      assert.equal((await client.closed()).code, 1006);
      assert.equal(client.texts.length, 0);
      assert.equal(proxy.down.bytes, cutAfterBytes);
      await upstream.until(() => upstream.live.length === 0);
      const next = new Client(proxy.url, t);
      await next.until(() => next.socket.readyState === next.socket.OPEN);
    });
  }

  test("a cut can hit the handshake", async (t) => {
    const upstream = await startUpstream({ t });
    const proxy = await startProxy({ to: upstream.port, t, down: { cutAfterBytes: 20, cutBy: "fin" } });
    const client = new Client(proxy.url, t);
    assert.equal((await client.closed()).code, 1006);
    assert.equal(client.errors.length, 1);
  });

  test("a downward half-close lets the client's data through", async (t) => {
    // The fault upstream stays when the client ends, so that only the proxy's half-close is at work.
    const upstream = await startFaultUpstream({ onEnd: false }, { t });
    const proxy = await startProxy({ to: upstream.port, t });
    const client = await Client.open(proxy.url, t, { allowHalfOpen: true } as object);
    await upstream.opened();
    proxy.halfClose("up");
    await upstream.until(() => upstream.last.clientEnded === "fin");
    upstream.last.json({ still: "here" });
    await client.replies(1);
    assert.deepEqual(client.messages, [{ still: "here" }]);
    proxy.halfClose("down");
    assert.equal((await client.closed()).code, 1006);
  });

  test("a slow line takes its time", async (t) => {
    const upstream = await startUpstream({ t });
    const proxy = await startProxy({ to: upstream.port, t });
    const client = await Client.open(proxy.url, t);
    proxy.down.set({ bytesPerSecond: 20_000 });
    const start = performance.now();
    client.request(1, "big", [10_000]);
    await client.replies(1);
    const took = performance.now() - start;
    assert.ok(took > 400 && took < 1_500, `${took} ms for half a second's worth of bytes`);
    client.request(2, "big", [10_000_000]);
    await delay(50);
    proxy.heal();
    await client.replies(2);
  });

  test("refuse turns new connections away and keeps existing ones, until it listens again", async (t) => {
    const upstream = await startUpstream({ t });
    const proxy = await startProxy({ to: upstream.port, t });
    const client = await Client.open(proxy.url, t);
    await proxy.refuse();
    const second = new Client(proxy.url, t);
    await second.closed();
    assert.match(second.errors.join(), /ECONNREFUSED/);
    client.request(1, "echo");
    await client.replies(1);
    const { port } = proxy;
    await proxy.listen();
    assert.equal(proxy.port, port);
    await Client.open(proxy.url, t);
  });

  test("an absent upstream ends the client's connection", async (t) => {
    const upstream = await startUpstream({ t });
    await upstream.stop();
    const proxy = await startProxy({ to: upstream.port, t });
    assert.equal((await new Client(proxy.url, t).closed()).code, 1006);
    await proxy.until(() => proxy.live.length === 0);
  });
});
