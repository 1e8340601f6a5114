/** The webSocket transport of viem behind Hono: the other common Ethereum backend. */
import process from "node:process";
import { Hono } from "hono";
import { createPublicClient, webSocket } from "viem";
import { listen } from "./serve.mjs";

const client = createPublicClient({ transport: webSocket(process.argv[2]) });

async function request({ id, method, params }) {
  return { jsonrpc: "2.0", id, result: await client.request({ method, params }) };
}

const app = new Hono();
app.post("/", async (c) => {
  const message = await c.req.json();
  return c.json(Array.isArray(message) ? await Promise.all(message.map(request)) : await request(message));
});
app.onError((error, c) => c.json({ error: error.message }, 502));

await client.getChainId();
listen(app);
