/** The preset mcp in front of a server of the protocol's own SDK, beside the client of that SDK. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { WebSocket } from "ws";
import { type Item, page } from "../support/messages.ts";
import { type Product, startProduct } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { loadSdk, type McpServer, startMcpServer } from "./mcp-server.ts";
import { named, type RpcMessage } from "./transcript.ts";

const VERSION = "2025-11-25";
const CAPABILITIES = { elicitation: {} };
const ADD = { name: "add", arguments: { a: 2, b: 3 } };
const GREET = { name: "greet", arguments: {} };
const ACCEPTED = { action: "accept", content: { name: "me" } };

const cleanups: (() => Promise<void>)[] = [];
let mcp: McpServer;
let product: Product;

before(async () => {
  const t: Cleanup = { after: (end) => void cleanups.push(end) };
  mcp = await startMcpServer(t);
  const protocol = { preset: "mcp", version: VERSION, capabilities: JSON.stringify(CAPABILITIES) };
  const upstream = { url: mcp.upstream.url, protocol, reconnect: { from: "20ms", to: "100ms" } };
  product = await startProduct({ config: { upstreams: { default: upstream } }, t });
  await product.ready();
});

after(async () => {
  for (const end of cleanups.reverse()) await end();
});

const request = async (method: string, params?: object, init?: RequestInit): Promise<unknown> => {
  const response = await product.rpc({ jsonrpc: "2.0", id: "mine", method, ...(params && { params }) }, init);
  return ((await response.json()) as { readonly result: unknown }).result;
};

const messages = async (method: string): Promise<readonly Item[]> => {
  const query = `?after=earliest&where=/method=${method}`;
  const read = async () => (await page(product, query)).messages.filter(({ gap }) => gap === undefined);
  return await until(() => read().then((found) => found.length > 0 && found), { every: 10, what: method });
};

test("the dialogue is that of the SDK's own client, frame by frame, with a question that a caller replies to", async () => {
  const listed = await request("tools/list");
  const added = await request("tools/call", ADD);
  const greeting = request("tools/call", GREET);
  const [asked] = await messages("elicitation/create");
  assert.equal(asked?.reply, "wanted");
  const given = await product.post(`/v1/upstreams/default/messages/${asked.cursor}/reply`, { result: ACCEPTED });
  assert.equal(given.status, 204);
  const greeted = await greeting;
  assert.deepEqual(greeted, { content: [{ type: "text", text: "hello me" }] });
  const [ours] = mcp.transcripts;
  assert.ok(ours);

  const { Client, WebSocketClientTransport, ElicitRequestSchema } = await loadSdk();
  // Node 20 has no WebSocket of its own.
  Object.assign(globalThis, { WebSocket: globalThis.WebSocket ?? WebSocket });
  const { clientInfo } = (ours.client as [RpcMessage])[0].params as { readonly clientInfo: object };
  const own = new Client(clientInfo, { capabilities: CAPABILITIES });
  own.setRequestHandler(ElicitRequestSchema, () => ACCEPTED);
  await own.connect(new WebSocketClientTransport(new URL(mcp.upstream.url)));
  const theirs = [await own.listTools(), await own.callTool(ADD), await own.callTool(GREET)];
  const transcript = mcp.transcripts.at(-1);
  await own.close();
  assert.ok(transcript && transcript !== ours);
  assert.deepEqual([listed, added, greeted], theirs);
  assert.deepEqual(named(ours), named(transcript));
});

test("pings go both ways, and the state shows the version that was agreed on", async () => {
  assert.deepEqual(await request("ping"), {});
  await mcp.upstream.until(() => mcp.upstream.live.length === 1, { what: "the own client to be gone" });
  const before = mcp.transcripts.length;
  await mcp.upstream.restart();
  await mcp.upstream.until(() => mcp.transcripts.length > before, { what: "the next connection" });
  assert.deepEqual(await request("tools/call", ADD), { content: [{ type: "text", text: "5" }] }, "after a restart");
  assert.deepEqual(await mcp.server().ping(), {});
  const { captured } = (await product.state()) as { readonly captured: Record<string, { readonly value: unknown }> };
  assert.deepEqual([captured.protocol_version?.value, captured.server?.value], [VERSION, "tools"]);
});

test("progress is a message, and the request of a caller who leaves is cancelled", async () => {
  const leaving = new AbortController();
  const params = { name: "wait", arguments: {}, _meta: { progressToken: "t-1" } };
  const left = request("tools/call", params, { signal: leaving.signal });
  const [progress] = await messages("notifications/progress");
  assert.ok(progress);
  assert.deepEqual((progress.data as RpcMessage).params, { progressToken: "t-1", progress: 1 });
  leaving.abort();
  await assert.rejects(left);
  await until(() => mcp.cancelled.length === 1, { every: 10, what: "the cancellation" });
  const call = mcp.transcripts.at(-1)?.client.at(-2) as RpcMessage;
  assert.deepEqual([call.params, call.id], [params, mcp.cancelled[0]]);
});
