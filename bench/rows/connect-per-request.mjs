/** A new WebSocket for every request: no shared connection, so no ids to replace. */
import process from "node:process";
import { Hono } from "hono";
import { WebSocket } from "ws";
import { listen } from "./serve.mjs";

const TIMEOUT_MS = 25_000;

function request(text) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(process.argv[2], { perMessageDeflate: false });
    const timer = setTimeout(() => {
      socket.terminate();
      reject(new Error("no reply in time"));
    }, TIMEOUT_MS);
    socket.once("open", () => socket.send(text));
    socket.once("message", (data) => {
      resolve(data.toString());
      socket.close();
    });
    socket.on("error", reject);
    socket.once("close", () => {
      clearTimeout(timer);
      reject(new Error("connection lost"));
    });
  });
}

const app = new Hono();
app.post("/", async (c) => c.body(await request(await c.req.text()), 200, { "Content-Type": "application/json" }));
app.onError((error, c) => c.json({ error: error.message }, 502));
listen(app);
