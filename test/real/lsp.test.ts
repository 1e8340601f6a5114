/** The preset lsp in front of a language server from npm, beside the client of the package that it is made with. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Item, page } from "../support/messages.ts";
import { type Product, startProduct } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { type LanguageServer, startLanguageServer, startOwnClient } from "./language-server.ts";
import { named, type RpcMessage, type Transcript } from "./transcript.ts";

const URI = "file:///srv/project/Dockerfile";
const DOCUMENT = { uri: URI, languageId: "dockerfile", version: 1, text: "FROM node\nMAINTAINER me\nCOPPY a b\n" };
const HERE = { textDocument: { uri: URI } };
const DIAGNOSTICS = "textDocument/publishDiagnostics";
const FORMAT = { ...HERE, options: { tabSize: 2, insertSpaces: true } };
const SETTINGS = { docker: { languageserver: { diagnostics: { deprecatedMaintainer: "error" } } } };

/** Requests in turn, each with a reply. */
const REQUESTS = [
  ["textDocument/documentSymbol", HERE],
  ["textDocument/hover", { ...HERE, position: { line: 0, character: 1 } }],
  ["textDocument/completion", { ...HERE, position: { line: 3, character: 0 } }],
  ["textDocument/formatting", FORMAT],
] as const;

interface Diagnostic {
  readonly message: string;
  readonly severity: number;
}

const KINDS = [
  ["DeprecatedMaintainer", /MAINTAINER has been deprecated/],
  ["UnknownInstruction", /Unknown instruction: COPPY/],
] as const;

/** A registration, and twice the settings of no document. */
const BEFORE_OPENING = 3;

const cleanups: (() => Promise<void>)[] = [];
let server: LanguageServer;
let product: Product;

before(async () => {
  const t: Cleanup = { after: (end) => void cleanups.push(end) };
  server = await startLanguageServer(t);
  const at = { url: server.upstream.url, reconnect: { from: "20ms", to: "100ms" } };
  const configured = { preset: "lsp", root: "file:///srv/project", settings: JSON.stringify(SETTINGS) };
  const asked = { preset: "lsp", capabilities: '{"workspace":{"configuration":true}}' };
  const upstreams = { default: { ...at, protocol: configured }, asked: { ...at, protocol: asked } };
  product = await startProduct({ config: { upstreams }, t });
  await product.ready();
});

after(async () => {
  for (const end of cleanups.reverse()) await end();
});

const send = async (method: string, params: object, upstream = "default"): Promise<void> => {
  const response = await product.post(`/v1/upstreams/${upstream}/send`, { jsonrpc: "2.0", method, params });
  assert.equal(response.status, 204, await response.text());
};

const request = async (method: string, params: object): Promise<unknown> => {
  const response = await product.rpc({ jsonrpc: "2.0", id: "mine", method, params });
  return ((await response.json()) as { readonly result: unknown }).result;
};

/** The messages of an upstream with a method, once there are `count`. */
const messages = async (method: string, count: number, upstream = "default"): Promise<readonly Item[]> => {
  const query = `?after=earliest&where=${encodeURIComponent(`/method=${method}`)}`;
  const read = async () => (await page(product, query, `/v1/upstreams/${upstream}/messages`)).messages;
  const all = () => read().then((found) => found.length >= count && found);
  return await until(all, { every: 10, what: () => `${count} of ${method} ${product.child.output()}` });
};

/** The kinds of diagnostics, by the names that the settings have for them. */
const severities = (message: Item | undefined): readonly string[] => {
  assert.ok(message);
  const { params } = message.data as { readonly params: { readonly diagnostics: readonly Diagnostic[] } };
  return params.diagnostics.map(
    ({ message, severity }) => `${KINDS.find(([, text]) => text.test(message))?.[0]} ${severity}`,
  );
};

/** The newest transcript whose client has begun with the root of the configured upstream, or without one. */
const transcriptOf = (rootUri: string | null): Transcript => {
  const found = server.transcripts.findLast(
    ({ client: [first] }) => (first as RpcMessage)?.params?.rootUri === rootUri,
  );
  assert.ok(found);
  return found;
};

/** Waits until the client has replied to so many requests: only then the order of what follows is certain. */
const replied = ({ client }: Transcript, count: number) => {
  const isReply = (message: object) => "result" in message;
  return until(() => client.filter(isReply).length >= count, { every: 10, what: () => JSON.stringify(client) });
};

test("the dialogue is that of vscode-jsonrpc, frame by frame, with settings as the server asks for them", async (t) => {
  const ours = transcriptOf("file:///srv/project");
  await replied(ours, BEFORE_OPENING);
  await send("textDocument/didOpen", { textDocument: DOCUMENT });
  await messages(DIAGNOSTICS, 1);
  const replies: unknown[] = [];
  for (const [method, params] of REQUESTS) replies.push(await request(method, params));

  const own = await startOwnClient(t);
  own.client.onRequest("client/registerCapability", () => null);
  own.client.onRequest("workspace/configuration", ({ items }: { readonly items: readonly { section: string }[] }) =>
    items.map(({ section }) =>
      section === "docker.languageserver.diagnostics" ? SETTINGS.docker.languageserver.diagnostics : null,
    ),
  );
  const [initialize] = ours.client as [RpcMessage];
  await own.client.sendRequest("initialize", initialize.params);
  await own.client.sendNotification("initialized", {});
  await own.client.sendNotification("workspace/didChangeConfiguration", { settings: SETTINGS });
  await replied(own.transcript, BEFORE_OPENING);
  await own.client.sendNotification("textDocument/didOpen", { textDocument: DOCUMENT });
  const isDiagnosed = () => own.transcript.server.some((message) => (message as RpcMessage).method === DIAGNOSTICS);
  await own.watch.until(isDiagnosed, { what: "diagnostics" });
  const theirs: unknown[] = [];
  for (const [method, params] of REQUESTS) theirs.push(await own.client.sendRequest(method, params));
  assert.deepEqual(replies, theirs);
  assert.deepEqual(named(ours), named(own.transcript));
  assert.deepEqual(severities((await messages(DIAGNOSTICS, 1)).at(-1)), [
    "DeprecatedMaintainer 1",
    "UnknownInstruction 1",
  ]);
});

test("a caller replies to the server's request for settings, and one who leaves has its request cancelled", async () => {
  await send("textDocument/didOpen", { textDocument: DOCUMENT }, "asked");
  const wanted = (await messages("workspace/configuration", 1, "asked")).at(-1);
  assert.equal(wanted?.reply, "wanted");
  const [item] = (wanted.data as { readonly params: { readonly items: readonly object[] } }).params.items;
  assert.deepEqual(item, { section: "docker.languageserver.diagnostics", scopeUri: URI });
  const reply = { result: [{ deprecatedMaintainer: "ignore" }] };
  const given = await product.post(`/v1/upstreams/asked/messages/${wanted.cursor}/reply`, reply);
  assert.equal(given.status, 204);
  assert.deepEqual(severities((await messages(DIAGNOSTICS, 1, "asked")).at(-1)), ["UnknownInstruction 1"]);

  const leaving = new AbortController();
  const format = { jsonrpc: "2.0", id: "mine", method: "textDocument/formatting", params: FORMAT };
  const left = product.post("/v1/upstreams/asked/request", format, { signal: leaving.signal });
  await messages("workspace/configuration", 2, "asked");
  leaving.abort();
  await assert.rejects(left);
  const { client } = transcriptOf(null);
  const sent = (method: string) => client.find((message) => (message as RpcMessage).method === method) as RpcMessage;
  const cancel = await until(() => sent("$/cancelRequest"), { every: 10, what: "the cancellation" });
  assert.deepEqual(cancel.params, { id: sent("textDocument/formatting").id });
});

test("a server that was restarted is initialized again, and has no documents", async () => {
  const before = server.transcripts.length;
  await server.upstream.restart();
  await until(() => server.transcripts.length >= before + 2, { every: 10, what: "two connections" });
  await replied(transcriptOf("file:///srv/project"), BEFORE_OPENING);
  const [method, params] = REQUESTS[0];
  assert.deepEqual(await request(method, params), []);
  await send("textDocument/didOpen", { textDocument: DOCUMENT });
  assert.equal(((await request(method, params)) as readonly object[]).length, 3);
});

test("a server whose connection is closed in order has shut down, and one whose connection was lost has not", async () => {
  const { exitCodes, upstream } = server;
  await product.ready();
  const [cut, closed] = upstream.connections.slice(-2);
  assert.ok(cut && closed);
  cut.kill();
  await until(() => exitCodes.has(cut.number), { every: 10, what: "the end of the first" });
  await product.stop();
  const count = upstream.connections.length;
  await until(() => exitCodes.size === count, { every: 10, what: "the end of all" });
  assert.equal(exitCodes.get(cut.number), 1);
  assert.equal(exitCodes.get(closed.number), 0);
  const { client } = server.transcripts[closed.number - 1] as Transcript;
  assert.deepEqual(
    client.slice(-2).map((message) => (message as RpcMessage).method),
    ["shutdown", "exit"],
  );
  assert.equal(product.report().forced, false);
});
