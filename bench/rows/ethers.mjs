/** The WebSocketProvider of ethers behind Hono, as in many an Ethereum backend today. */
import process from "node:process";
import { WebSocketProvider } from "ethers";
import { Hono } from "hono";
import { listen } from "./serve.mjs";

const provider = new WebSocketProvider(process.argv[2]);

async function request({ id, method, params }) {
  return { jsonrpc: "2.0", id, result: await provider.send(method, params) };
}

const app = new Hono();
app.post("/", async (c) => {
  const message = await c.req.json();
  return c.json(Array.isArray(message) ? await Promise.all(message.map(request)) : await request(message));
});
app.onError((error, c) => c.json({ error: error.message }, 502));

await provider.getNetwork();
listen(app);
