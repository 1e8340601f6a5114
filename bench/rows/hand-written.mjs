/** A good engineer's forty lines: Hono and ws on one thread, one connection, ids replaced and put back. */
import process from "node:process";
import { Hono } from "hono";
import { WebSocket } from "ws";
import { instruments, listen } from "./serve.mjs";

const TIMEOUT_MS = 25_000;
const RECONNECT_MS = 200;
const KEPT_MAX = 10_000;

const pending = new Map();
const kept = [];
let received = 0;
let lastId = 0;
let socket;

function connect() {
  socket = new WebSocket(process.argv[2], { perMessageDeflate: false });
  socket.on("message", (data) => {
    const message = JSON.parse(data.toString());
    const waiter = pending.get(message.id);
    if (!waiter) return keep(message);
    pending.delete(message.id);
    clearTimeout(waiter.timer);
    waiter.resolve({ ...message, id: waiter.id });
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    for (const { reject, timer } of pending.values()) {
      clearTimeout(timer);
      reject(new Error("connection lost"));
    }
    pending.clear();
    setTimeout(connect, RECONNECT_MS);
  });
}

function keep(message) {
  received++;
  kept.push(message);
  if (kept.length > KEPT_MAX) kept.shift();
}

function request(message) {
  return new Promise((resolve, reject) => {
    const id = ++lastId;
    const timer = setTimeout(() => {
      pending.delete(id);
      reject(new Error("no reply in time"));
    }, TIMEOUT_MS);
    pending.set(id, { resolve, reject, timer, id: message.id });
    socket.send(JSON.stringify({ ...message, id }));
  });
}

const app = instruments(new Hono());
app.post("/", async (c) => {
  const message = await c.req.json();
  return c.json(Array.isArray(message) ? await Promise.all(message.map(request)) : await request(message));
});
app.get("/bench/messages", (c) => c.json({ received }));
app.onError((error, c) => c.json({ error: error.message }, 502));

connect();
socket.once("open", () => listen(app));
