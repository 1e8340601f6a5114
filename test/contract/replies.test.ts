/** Replies of callers to the requests that an upstream makes, which are among its messages. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/client.ts";
import { type AsyncUpstream, Sidecar } from "../../src/index.ts";
import { eventsIn, type Item, MESSAGES, page } from "../support/messages.ts";
import { type Product, startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { failsAs } from "./async-behaviours.ts";
import { problem } from "./expect.ts";

const ask = (id: unknown, more: object = {}) => ({ jsonrpc: "2.0", id, method: "workspace/configuration", ...more });

/** The id of a message; undefined for a gap. */
const idOf = (data: unknown) => (data as { readonly id?: unknown } | undefined)?.id;

/** The messages, once there are as many. */
async function messages(product: Product, count: number): Promise<readonly Item[]> {
  const items = async () => (await page(product)).messages;
  await until(async () => (await items()).length >= count, { what: () => `${count} messages` });
  return await items();
}

function replyTo(product: Product, cursor: string | undefined, reply: unknown, path = MESSAGES): Promise<Response> {
  const body = typeof reply === "string" ? reply : JSON.stringify(reply);
  const headers = { "content-type": "application/json" };
  return product.fetch(`${path}/${cursor}/reply`, { method: "POST", headers, body });
}

test("a request of the upstream is marked where it is read, and gets one reply with its own id", async (t) => {
  const upstream = await startUpstream({ t, onMessage: () => {} });
  const product = await startProduct({ config: { upstreams: { default: { url: upstream.url } } }, t });
  await product.ready();
  upstream.last.send('{"jsonrpc": "2.0", "id": 12345678901234567890, "method": "ask", "params": []}');
  upstream.last.send(ask("seven", { sessionId: "S" }));
  upstream.last.send({ jsonrpc: "2.0", method: "note" });
  upstream.last.send(ask(null));
  const [first, second, note, nobody] = await messages(product, 4);
  const states = [first, second, note, nobody].map((item) => item?.reply);
  assert.deepEqual(states, ["wanted", "wanted", undefined, undefined], "a note and the id null want no reply");

  const events = eventsIn(
    await (await product.fetch(`${MESSAGES}?poll=1`, { headers: { accept: "text/event-stream" } })).text(),
  );
  const [mark, event] = events.filter(({ data }) => data !== undefined);
  assert.deepEqual([mark?.id, event?.id], [undefined, first?.cursor], "the mark alone moves no reader on");
  assert.deepEqual(JSON.parse(mark?.data ?? ""), { cursor: first?.cursor, reply: "wanted" });

  const wrong = [{}, { result: 1, error: { code: 1, message: "" } }, { id: 1, result: 1 }, { error: "no" }, [1]];
  for (const reply of [...wrong, "{", '"text"']) {
    await problem(await replyTo(product, first?.cursor, reply), { status: 400, code: "invalid_request", sent: "no" });
  }
  assert.deepEqual(upstream.texts, [], "a wrong reply is not sent");
  assert.equal((await replyTo(product, first?.cursor, '{"result": [ 1.50, {"a": null} ]}')).status, 204);
  assert.equal((await replyTo(product, second?.cursor, { error: { code: -32601, message: "no" } })).status, 204);
  await upstream.until(() => upstream.texts.length === 2);
  assert.deepEqual(upstream.texts, [
    '{"jsonrpc":"2.0","id":12345678901234567890,"result":[ 1.50, {"a": null} ]}',
    '{"jsonrpc":"2.0","id":"seven","error":{"code":-32601,"message":"no"}}',
  ]);
  assert.deepEqual(
    (await messages(product, 4)).map((item) => item.reply),
    ["given", "given", undefined, undefined],
  );
  await problem(await replyTo(product, first?.cursor, { result: 2 }), { status: 409, code: "conflict", sent: "no" });
  await problem(await replyTo(product, note?.cursor, { result: 2 }), { status: 422, code: "mismatch", sent: "no" });
  const after = first?.cursor.replace(/\d+$/, "99");
  await problem(await replyTo(product, after, { result: 2 }), { status: 404, code: "not_found", sent: "no" });
  await problem(await replyTo(product, "nothing", { result: 2 }), { status: 404, code: "not_found", sent: "no" });
  await problem(await replyTo(product, "other-1", { result: 2 }), { status: 410, code: "gone", sent: "no" });
  const { counters } = (await product.state()) as unknown as { counters: { answered: number } };
  assert.equal(counters.answered, 2);

  upstream.last.send(ask(8));
  const lost = (await messages(product, 5)).at(-1);
  upstream.last.kill();
  await until(async () => (await messages(product, 5))[4]?.reply === "lost", { what: () => "the connection's end" });
  await problem(await replyTo(product, lost?.cursor, { result: 2 }), { status: 410, code: "gone", sent: "no" });
  assert.equal(upstream.texts.length, 2, "no other connection gets the reply");
});

test("requests are replied to during the greeting, in a subscription and in an instance, until dropped", async (t) => {
  const upstream = await startUpstream({
    t,
    onConnection: (connection) => connection.send(ask("early")),
    onMessage(message, connection) {
      const { id, method, result } = JSON.parse(String(message));
      if (result === "welcome") connection.send({ type: "hello" });
      else if (method === "subscribe") connection.send({ jsonrpc: "2.0", id, result: true });
    },
  });
  const base = { url: `${upstream.url}main`, greeting: [{ expect: { match: { "/type": "hello" }, within: "20s" } }] };
  const subscriptions = {
    asks: { request: { jsonrpc: "2.0", id: 1, method: "subscribe" }, match: { "/method": "workspace/configuration" } },
  };
  const config = {
    upstreams: {
      main: { ...base, subscriptions, messages: { count: 2 } },
      own: { url: upstream.url, instances: {} },
    },
  };
  const product = await startProduct({ config, t });
  const path = "/v1/upstreams/main/messages";
  const items = async (at = path) =>
    ((await (await product.fetch(at)).json()) as { readonly messages: readonly Item[] }).messages;
  await until(async () => (await items()).length > 0, { what: () => "the request in the greeting" });
  assert.equal((await replyTo(product, (await items())[0]?.cursor, { result: "welcome" }, path)).status, 204);
  await product.ready();

  const ofSubscription = "/v1/upstreams/main/subscriptions/asks/messages";
  await until(async () => {
    const state = (await (await product.fetch(ofSubscription.replace(/.messages$/, ""))).json()) as { phase: string };
    return state.phase === "active";
  });
  const connection = upstream.connections.find((each) => each.path === "/main");
  connection?.send(ask(1));
  await until(async () => (await items(ofSubscription)).some(({ data }) => idOf(data) === 1));
  const asked = (await items(ofSubscription)).find(({ data }) => idOf(data) === 1);
  assert.equal(asked?.reply, "wanted");
  for (let n = 2; n <= 3; n++) connection?.send(ask(n));
  await until(async () => (await items(ofSubscription)).some(({ data }) => idOf(data) === 3));
  await problem(await replyTo(product, asked?.cursor, { result: 1 }, path), { status: 410, code: "gone", sent: "no" });
  const last = (await items(ofSubscription)).at(-1);
  assert.equal((await replyTo(product, last?.cursor, { result: 3 }, path)).status, 204);
  await upstream.until(() => connection?.texts.includes('{"jsonrpc":"2.0","id":3,"result":3}'));

  const opened = await product.fetch("/v1/upstreams/own/instances", { method: "POST" });
  const { path: instance } = (await opened.json()) as { path: string };
  await until(async () => (await items(`${instance}/messages`)).length > 0);
  const early = (await items(`${instance}/messages`))[0];
  assert.equal((await replyTo(product, early?.cursor, { result: "mine" }, `${instance}/messages`)).status, 204);
  await upstream.until(() => upstream.texts.includes('{"jsonrpc":"2.0","id":"early","result":"mine"}'));
});

/** Reads the first message of an upstream, and replies to it. */
async function replies(caller: AsyncUpstream, upstream: Upstream): Promise<void> {
  await until(async () => (await caller.readState()).phase === "ready");
  upstream.last.send(ask(1));
  for await (const message of caller.messages()) {
    if ("gap" in message) continue;
    assert.equal(message.reply, "wanted");
    await assert.rejects(caller.reply(message.cursor, "not JSON"), failsAs("invalid_request", "no"));
    await caller.reply(message.cursor, { result: ["tab"] });
    await upstream.until(() => upstream.texts.includes('{"jsonrpc":"2.0","id":1,"result":["tab"]}'));
    await assert.rejects(caller.reply(message.cursor, { result: null }), failsAs("conflict", "no"));
    await assert.rejects(caller.reply("nothing", { result: null }), failsAs("not_found", "no"));
    return;
  }
}

test("the library replies in one call, in this program and behind HTTP", async (t) => {
  const upstream = await startUpstream({ t });
  {
    await using caller = await Sidecar.start({ url: upstream.url });
    await replies(caller, upstream);
  }
  const another = await startUpstream({ t });
  const product = await startProduct({ config: { upstreams: { default: { url: another.url } } }, t });
  await using caller = connect(product.url);
  await replies(caller, another);
});
