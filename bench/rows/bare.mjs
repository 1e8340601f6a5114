/** The floor: the same Hono server, which itself answers what the others forward to the upstream. */
import { Hono } from "hono";
import { listen } from "./serve.mjs";

const blobs = new Map();

function answer({ id, method, params }) {
  return { jsonrpc: "2.0", id, result: method === "blob" ? "x".repeat(params[0]) : params };
}

function blob({ id, params: [bytes] }) {
  if (!blobs.has(bytes)) blobs.set(bytes, "x".repeat(bytes));
  return `{"jsonrpc":"2.0","id":${id},"result":"${blobs.get(bytes)}"}`;
}

const app = new Hono();
app.post("/", async (c) => {
  const message = await c.req.json();
  if (message.method === "blob") return c.body(blob(message), 200, { "Content-Type": "application/json" });
  return c.json(Array.isArray(message) ? message.map(answer) : answer(message));
});
listen(app);
