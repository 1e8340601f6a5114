/** The fault upstream, judged by a healthy WebSocket client. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, test } from "node:test";
import { delay } from "../support/until.ts";
import { Client } from "./client.ts";
import { OPCODE } from "./frames.ts";
import { never } from "./replies.ts";
import { startFaultUpstream } from "./upstream.ts";
import { tinyFragments, violations } from "./violations.ts";

describe("the fault upstream, judged by the ws client", () => {
  test("a fault upstream without faults echoes, answers pings and closes", async (t) => {
    const upstream = await startFaultUpstream({}, { t });
    const client = await Client.open(upstream.url, t);
    client.request(1, "echo", ["x"]);
    await client.replies(1);
    assert.deepEqual(client.messages, [{ jsonrpc: "2.0", id: 1, result: ["x"] }]);
    client.socket.ping("are you there");
    await client.until(() => client.pongs.includes("are you there"));
    client.socket.close(1001, "bye");
    assert.deepEqual(await client.closed(), { code: 1001, reason: "bye" });
    const peer = upstream.last;
    await upstream.until(() => peer.phase === "ended");
    assert.deepEqual(peer.closeFrame, { code: 1001, reason: "bye" });
    assert.deepEqual(
      peer.frames.map((frame) => [frame.opcode, frame.masked]),
      [
        [OPCODE.text, true],
        [OPCODE.ping, true],
        [OPCODE.close, true],
      ],
    );
    assert.ok(peer.frames.every((frame, at) => frame.at >= (peer.frames[at - 1]?.at ?? peer.since)));
  });

  test("frames of every length are recorded, in one piece or in many", async (t) => {
    const upstream = await startFaultUpstream({ onMessage: never }, { t });
    const client = await Client.open(upstream.url, t);
    const sizes = [0, 1, 125, 126, 65_535, 65_536, 3_000_000];
    for (const size of sizes) client.socket.send(Buffer.alloc(size, 7));
    await upstream.until(() => upstream.last.frames.length === sizes.length);
    assert.deepEqual(
      upstream.last.frames.map((frame) => frame.payload.length),
      sizes,
    );
    assert.ok(upstream.last.frames.every((frame) => frame.payload.every((byte) => byte === 7)));
  });

  for (const status of [200, 302, 401, 404, 426, 429, 503]) {
    test(`refusing the upgrade with ${status} gives the status and its headers`, async (t) => {
      const headers = { "Retry-After": "7", Location: "ws://127.0.0.1:1/" };
      const upstream = await startFaultUpstream({ handshake: { do: "refuse", status, headers } }, { t });
      const client = new Client(upstream.url, t);
      const response = await client.refused();
      assert.equal(response.statusCode, status);
      assert.equal(response.headers["retry-after"], "7");
    });
  }

  test("a silent handshake lasts until the client gives up", async (t) => {
    const upstream = await startFaultUpstream({ handshake: { do: "silent" } }, { t });
    const client = new Client(upstream.url, t, { handshakeTimeout: 100 });
    assert.equal((await client.closed()).code, 1006);
    assert.match(client.errors.join(), /timed out/);
    assert.equal(upstream.last.request?.headers.get("upgrade"), "websocket");
  });

  test("a drip-fed handshake outlives ws's idle timeout, and completes", async (t) => {
    const upstream = await startFaultUpstream({ handshake: { do: "drip", everyMs: 3 } }, { t });
    const client = await Client.open(upstream.url, t, { handshakeTimeout: 250 });
    assert.ok(performance.now() - upstream.last.since > 300, "129 bytes at 3 ms each");
    client.request(1, "echo");
    await client.replies(1);
  });

  test("an endless handshake never completes", async (t) => {
    const upstream = await startFaultUpstream({ handshake: { do: "drip", everyMs: 1, forever: true } }, { t });
    const client = new Client(upstream.url, t, { handshakeTimeout: 100 });
    await upstream.until(() => upstream.peers[0]?.request);
    await delay(400); // Four times the idle timeout: no event signals that nothing happens.
    assert.equal(client.socket.readyState, client.socket.CONNECTING);
  });

  for (const [name, handshake, error] of [
    ["a wrong accept key", { do: "wrong-key" }, /Sec-WebSocket-Accept/],
    [
      "an unexpected subprotocol",
      { do: "accept", headers: { "Sec-WebSocket-Protocol": "nobody.asked" } },
      /subprotocol/,
    ],
    ["an unexpected extension", { do: "accept", headers: { "Sec-WebSocket-Extensions": "x-zip" } }, /Extensions/],
    ["a response that is not HTTP", { do: "garbage", text: "SSH-2.0-OpenSSH_9\r\n\r\n" }, /./],
    ["FIN instead of a response", { do: "end" }, /socket hang up/],
    ["RST instead of a response", { do: "reset" }, /ECONNRESET|socket hang up/],
  ] as const) {
    test(`${name} fails the connect`, async (t) => {
      const upstream = await startFaultUpstream({ handshake }, { t });
      const client = new Client(upstream.url, t, { handshakeTimeout: 2_000 });
      assert.equal((await client.closed()).code, 1006);
      assert.match(client.errors.join(), error);
    });
  }

  test("FIN and RST without a close frame are both 1006", async (t) => {
    const upstream = await startFaultUpstream((n) => ({ onOpen: (peer) => (n === 1 ? peer.end() : peer.reset()) }), {
      t,
    });
    for (const _ of ["fin", "reset"]) {
      assert.equal((await new Client(upstream.url, t).closed()).code, 1006);
    }
    assert.equal(upstream.peers.length, 2);
  });

  for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4000, 4401, 4999]) {
    test(`closing with ${code} gives the code and the reason`, async (t) => {
      const upstream = await startFaultUpstream({ onOpen: (peer) => peer.close(code, "a reason") }, { t });
      assert.deepEqual(await new Client(upstream.url, t).closed(), { code, reason: "a reason" });
    });
  }

  test("closing without a code is 1005", async (t) => {
    const upstream = await startFaultUpstream({ onOpen: (peer) => peer.close() }, { t });
    assert.deepEqual(await new Client(upstream.url, t).closed(), { code: 1005, reason: "" });
  });

  for (const [name, fault] of violations) {
    test(`violation: ${name} is an error to ws`, async (t) => {
      const upstream = await startFaultUpstream({ onOpen: fault }, { t });
      const client = new Client(upstream.url, t);
      await client.until(() => client.errors.length > 0, { what: "ws to complain" });
      assert.match(client.errors.join(), /^(Invalid|Unsupported|RSV|MASK|Max payload)|must be|frame/);
    });
  }

  test("a million tiny fragments arrive as one message, or as ws's refusal", async (t) => {
    const upstream = await startFaultUpstream({ onOpen: tinyFragments(1_000_000) }, { t });
    const client = new Client(upstream.url, t, { maxFragments: 1024 });
    await client.until(() => client.errors.length > 0, { what: "ws to refuse the fragments" });
    assert.match(client.errors.join(), /fragments/);
    const few = await startFaultUpstream({ onOpen: tinyFragments(1_000) }, { t });
    const second = await Client.open(few.url, t);
    await second.until(() => second.texts.length === 1);
    assert.equal(second.texts[0], "x".repeat(1_000));
  });

  test("a close that is never answered is the client's to end", async (t) => {
    const upstream = await startFaultUpstream({ onClose: false, onEnd: false }, { t });
    const client = await Client.open(upstream.url, t, { closeTimeout: 200 });
    const start = performance.now();
    client.socket.close(1000);
    assert.equal((await client.closed()).code, 1006);
    assert.ok(performance.now() - start >= 190);
    assert.equal(upstream.last.closeFrame?.code, 1000);
  });

  test("a peer that never reads jams the client's writes", async (t) => {
    const upstream = await startFaultUpstream({ reads: false }, { t });
    const client = await Client.open(upstream.url, t);
    const chunk = Buffer.alloc(1024 * 1024);
    for (let n = 0; n < 32; n += 1) client.socket.send(chunk);
    await delay(200); // The kernel buffers what it can, and no event signals that it stopped.
    assert.ok(client.socket.bufferedAmount > 8 * 1024 * 1024);
    assert.equal(upstream.last.frames.length, 0);
  });

  test("pings are answered by default, and the upstream's own are recorded as answered", async (t) => {
    const upstream = await startFaultUpstream({ onPing: false, onOpen: (peer) => peer.ping("marco") }, { t });
    const client = await Client.open(upstream.url, t);
    client.socket.ping("unanswered");
    client.request(1, "echo");
    await client.replies(1);
    assert.deepEqual(client.pongs, []);
    assert.deepEqual(upstream.last.pings.map(String), ["unanswered"]);
    assert.deepEqual(upstream.last.pongs.map(String), ["marco"]);
  });

  test("RST by the client is distinguished from FIN", async (t) => {
    const upstream = await startFaultUpstream({}, { t });
    const fin = await Client.open(upstream.url, t);
    fin.socket.terminate();
    await upstream.until(() => upstream.peers[0]?.phase === "ended");
    const reset = await Client.open(upstream.url, t);
    reset.reset();
    await upstream.until(() => upstream.peers[1]?.phase === "ended");
    assert.deepEqual(
      upstream.peers.map((peer) => peer.clientEnded),
      ["fin", "reset"],
    );
  });

  test("a stopped upstream refuses connections, and restarts on its old port", async (t) => {
    const upstream = await startFaultUpstream({}, { t });
    const client = await Client.open(upstream.url, t);
    const { url } = upstream;
    await upstream.stop();
    assert.equal((await client.closed()).code, 1006);
    const second = new Client(url, t);
    await second.closed();
    assert.match(second.errors.join(), /ECONNREFUSED/);
    await upstream.restart();
    assert.equal(upstream.url, url);
    await Client.open(url, t);
  });
});
