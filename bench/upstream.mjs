/**
 * The upstream of every row: a WebSocket server that speaks JSON-RPC and does as little as possible itself.
 *
 *   node bench/upstream.mjs [--drop-after MS]
 *
 * Methods: `echo` (and any other) returns its params; `blob` [bytes] returns a text of that length; `flood`
 * [{ rate, bytes, count }] sends `count` unsolicited messages on the caller's connection, at `rate` per second or, at
 * rate 0, as fast as they are taken. With --drop-after every peer is pinged, and dropped if its pong takes longer. Over
 * HTTP: `GET /stats`, `POST /ticks?rate=` (numbered messages to every connection), `POST /quiet`.
 */
import { createServer } from "node:http";
import process from "node:process";
import { parseArgs } from "node:util";
import { WebSocketServer } from "ws";

const { values: flags } = parseArgs({ options: { "drop-after": { type: "string", default: "0" } } });
const dropAfterMs = Number(flags["drop-after"]);
const SLICE_MS = 5;
const FLOOD_CHUNK = 64;

const stats = { connections: 0, dropped: 0, ticks: 0, flooded: 0 };
let ticking;

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://upstream");
  clearInterval(pathname === "/stats" ? undefined : ticking);
  if (pathname === "/ticks") ticking = every(Number(searchParams.get("rate")), tick);
  response.setHeader("Content-Type", "application/json").end(JSON.stringify(stats));
});
const sockets = new WebSocketServer({ server, perMessageDeflate: false, maxPayload: 256 * 1024 * 1024 });

sockets.on("connection", (socket, { socket: tcp }) => {
  stats.connections++;
  if (dropAfterMs > 0) dropWhenLate(socket);
  let corked = false;
  socket.on("message", (data) => {
    if (!corked) {
      // Replies of one turn leave in one write.
      corked = true;
      tcp.cork();
      process.nextTick(() => {
        corked = false;
        tcp.uncork();
      });
    }
    const message = JSON.parse(data.toString());
    const reply = Array.isArray(message) ? `[${message.map(answer).join(",")}]` : answer(message);
    socket.send(reply, { binary: false });
    if (message.method === "flood") flood(tcp, message.params[0]);
  });
  socket.on("error", () => {});
});

function answer({ id, method, params }) {
  const head = `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":`;
  if (method === "blob") return blob(head, params[0]);
  // The first thing that Ethereum clients ask for.
  return `${head}${method === "eth_chainId" ? '"0x1"' : JSON.stringify(params)}}`;
}

const blobs = new Map();
function blob(head, bytes) {
  if (!blobs.has(bytes)) blobs.set(bytes, Buffer.from(`"${"x".repeat(bytes)}"}`));
  return Buffer.concat([Buffer.from(head), blobs.get(bytes)]);
}

/** Sends prebuilt frames, many in one write: making them must not limit the flood. */
function flood(tcp, { rate, bytes, count }) {
  const frame = frameOf(notification("flood", 0, bytes));
  const chunk = Buffer.concat(Array.from({ length: FLOOD_CHUNK }, () => frame));
  let left = count;
  const send = (wanted) => {
    for (let due = Math.min(wanted, left); due > 0 && !tcp.destroyed; ) {
      const frames = Math.min(due, FLOOD_CHUNK);
      due -= frames;
      left -= frames;
      stats.flooded += frames;
      if (!tcp.write(frames === FLOOD_CHUNK ? chunk : chunk.subarray(0, frames * frame.length)) && rate === 0) {
        return tcp.once("drain", () => send(left));
      }
    }
  };
  if (rate === 0) return send(left);
  const timer = every(rate, (due) => {
    send(due);
    if (left <= 0 || tcp.destroyed) clearInterval(timer);
  });
}

function tick(due) {
  for (let i = 0; i < due; i++) {
    const text = notification("tick", stats.ticks++, 200);
    for (const socket of sockets.clients) socket.send(text);
  }
}

/** Calls `send` with the number due, by the clock and not by the number of calls. */
function every(rate, send) {
  const began = performance.now();
  let sent = 0;
  return setInterval(() => {
    const due = Math.floor(((performance.now() - began) / 1_000) * rate) - sent;
    sent += due;
    if (due > 0) send(due);
  }, SLICE_MS);
}

function notification(method, number, bytes) {
  const head = `{"jsonrpc":"2.0","method":"${method}","params":[${number},"`;
  return `${head}${"x".repeat(Math.max(0, bytes - head.length - 3))}"]}`;
}

/** Encodes a text frame as a server sends it: unmasked. */
function frameOf(text) {
  const payload = Buffer.from(text);
  const short = payload.length < 126;
  const header = Buffer.from(short ? [0x81, payload.length] : [0x81, 126, payload.length >> 8, payload.length & 255]);
  return Buffer.concat([header, payload]);
}

function dropWhenLate(socket) {
  let heardAt = performance.now();
  socket.on("pong", () => (heardAt = performance.now()));
  const timer = setInterval(() => {
    if (performance.now() - heardAt < dropAfterMs) return socket.ping();
    stats.dropped++;
    socket.terminate();
  }, dropAfterMs / 5);
  socket.once("close", () => clearInterval(timer));
}

server.listen(0, "127.0.0.1", () => console.log(`listening on ws://127.0.0.1:${server.address().port}`));
