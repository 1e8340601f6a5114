/** Compression of messages by permessage-deflate. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { type WebSocket, WebSocketServer } from "ws";
import { residentBytes } from "../support/proc.ts";
import { startProduct } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { problem } from "./expect.ts";

const MIB = 1024 * 1024;
const BOMB_MIB = 64;

/** An echo that takes the offer of compression; a message with `bomb` is answered with zeros, compressed. */
async function startDeflating(t: Cleanup) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: { threshold: 0 } });
  const offers: (string | undefined)[] = [];
  const sockets: WebSocket[] = [];
  const bytes = { sent: 0 };
  server.on("connection", (socket, request) => {
    offers.push(request.headers["sec-websocket-extensions"]);
    sockets.push(socket);
    socket.on("message", (data, isBinary) => {
      if (String(data).includes("bomb")) socket.send(Buffer.alloc(BOMB_MIB * MIB), { binary: false });
      else socket.send(data, { binary: isBinary });
      bytes.sent = request.socket.bytesRead;
    });
  });
  await once(server, "listening");
  t.after(async () => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, offers, sockets, bytes };
}

describe("compression", () => {
  test("is offered only where it is configured, and every message arrives as it was sent", async (t) => {
    const [plain, deflating] = [await startDeflating(t), await startDeflating(t)];
    const settings = { protocol: "json", limits: { reply_bytes: "2MiB" }, reconnect: { from: "20ms", to: "50ms" } };
    const upstreams = {
      plain: { ...settings, url: plain.url },
      deflating: { ...settings, url: deflating.url, compression: true },
    };
    const product = await startProduct({ config: { upstreams }, t });
    await product.ready();
    assert.deepEqual(plain.offers, [undefined]);
    assert.match(String(deflating.offers[0]), /^permessage-deflate; client_no_context_takeover/);
    assert.match(String(deflating.sockets[0]?.extensions), /permessage-deflate/);

    const route = "/v1/upstreams/deflating/request";
    const large = { text: "compress me ".repeat(50_000) };
    await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const message = index % 2 === 0 ? { ...large, index } : { index };
        const reply = await (await product.post(route, message)).text();
        assert.ok(reply === JSON.stringify(message), reply.slice(0, 200));
      }),
    );
    // 6 MB of text.
    assert.ok(deflating.bytes.sent < 200_000, `${deflating.bytes.sent} bytes were sent`);

    const before = residentBytes(product.pid);
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, residentBytes(product.pid));
    }, 5);
    const reply = await product.post(route, { bomb: true }).finally(() => clearInterval(watch));
    await problem(reply, {
      status: 502,
      code: "connection_lost",
      sent: "maybe",
      detail: /larger than limits\.reply_bytes \(2097152 bytes\)/,
    });
    assert.ok(most - before < 40 * MIB, `${Math.round((most - before) / MIB)} MiB more for a message of ${BOMB_MIB}`);
    await until(() => deflating.offers.length === 2);
    await product.ready();
    assert.deepEqual(await (await product.post(route, { after: 1 })).json(), { after: 1 });
  });
});
