/** Subscriptions: declared once, renewed on every connection. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MESSAGES, page, Stream } from "../support/messages.ts";
import { type Config, type Product, startProduct } from "../support/product.ts";
import { type Cleanup, delay, until } from "../support/until.ts";
import { type Message, startUpstream, type Upstream, type UpstreamConnection } from "../support/upstream.ts";
import { problem } from "./expect.ts";

const PATH = "/v1/upstreams/default/subscriptions";
const order = {
  request: { jsonrpc: "2.0", method: "subscribe", params: ["ticks"] },
  id: "/result",
  match: { "/method": "tick", "/params/subscription": "$id" },
  unsubscribe: { jsonrpc: "2.0", method: "unsubscribe", params: ["$id"] },
};

/** Confirms every `subscribe` under an upstream name that differs for each connection. */
function agree(message: Message, connection: UpstreamConnection): void {
  const { id, method, params } = JSON.parse(String(message));
  if (method === "subscribe" && params[0] === "forbidden") {
    connection.send({ jsonrpc: "2.0", id, error: { code: -1, message: "forbidden" } });
  } else {
    connection.send({ jsonrpc: "2.0", id, result: `0x${connection.number}` });
  }
}

/** Like `agree`, but never replies to requests for `never`. */
function agreeButTo(never: string, message: Message, connection: UpstreamConnection): void {
  if (!String(message).includes(never)) agree(message, connection);
}

const tick = (subscription: string, n: number) => ({ jsonrpc: "2.0", method: "tick", params: { subscription, n } });

async function start(t: Cleanup, more: Config = {}): Promise<{ product: Product; upstream: Upstream }> {
  const upstream = await startUpstream({ onMessage: agree, t });
  const reconnect = { from: "50ms", to: "100ms" };
  const product = await startProduct({
    config: { upstreams: { default: { url: upstream.url, reconnect, ...more } } },
    t,
  });
  await product.ready();
  return { product, upstream };
}

const methods = (connection: UpstreamConnection) => connection.texts.map((text) => JSON.parse(text).method);

async function phase(product: Product, name: string): Promise<string> {
  return ((await (await product.fetch(`${PATH}/${name}`)).json()) as { phase: string }).phase;
}

test("a declared subscription is requested on every connection, and its messages keep its own name", async (t) => {
  const { product, upstream } = await start(t, { subscriptions: { clock: order } });
  await until(async () => (await phase(product, "clock")) === "active");
  const stream = await Stream.open(product, `${PATH}/clock/messages`, { accept: "text/event-stream" }, t);
  upstream.last.send(tick("0x1", 1));
  upstream.last.send(tick("0xother", 9));
  await stream.until(() => stream.dataEvents.length === 1);
  assert.deepEqual(JSON.parse(stream.dataEvents[0]?.data ?? ""), tick("clock", 1));
  upstream.kill();
  await until(async () => upstream.connections.length === 2 && (await phase(product, "clock")) === "active");
  upstream.last.send(tick("0x1", 2));
  upstream.last.send(tick("0x2", 3));
  await stream.until(() => stream.dataEvents.length === 3);
  assert.deepEqual(
    stream.dataEvents.map(({ name, data }) => [name, JSON.parse(data ?? "").params ?? JSON.parse(data ?? "").reason]),
    [
      ["message", { subscription: "clock", n: 1 }],
      ["gap", "away"],
      ["message", { subscription: "clock", n: 3 }],
    ],
  );
  const others = await page(product, "?limit=1000");
  const texts = others.messages.flatMap(({ data }) => (data === undefined ? [] : [data]));
  assert.deepEqual(texts, [tick("0xother", 9), tick("0x1", 2)], "messages without a subscription are everybody's");
});

test("subscriptions that wait for the pace are sent on time, however silent the upstream", async (t) => {
  const upstream = await startUpstream({ onMessage: () => {}, t });
  const limits = { pace: { messages: 1, per: "100ms" } };
  const subscriptions = { clock: order, bell: order };
  await startProduct({ config: { upstreams: { default: { url: upstream.url, limits, subscriptions } } }, t });
  await upstream.until(() => upstream.texts.length === 2);
});

test("a POST responds once the subscription stands; it outlives a connection and ends with DELETE", async (t) => {
  const { product, upstream } = await start(t);
  const created = await product.post(PATH, { name: "clock", ...order }, { headers: { prefer: "wait=9" } });
  assert.equal(created.status, 201, await created.clone().text());
  assert.equal(created.headers.get("preference-applied"), "wait=9");
  assert.equal(created.headers.get("location"), `${PATH}/clock`);
  const shown = (await created.json()) as { phase: string; messages: string; activations: number };
  assert.deepEqual([shown.phase, shown.activations, shown.messages], ["active", 1, `${PATH}/clock/messages`]);
  const again = await product.post(PATH, { name: "clock", ...order });
  assert.equal(again.status, 200, "repeating it creates no second one");
  const other = await product.post(PATH, { name: "clock", preset: "eth_subscribe", params: ["newHeads"] });
  await problem(other, { status: 409, code: "conflict", sent: "no", detail: /"clock"/ });
  upstream.kill();
  await until(async () => upstream.connections.length === 2 && (await phase(product, "clock")) === "active");
  upstream.last.send(tick("0x2", 1));
  const waited = await page(product, "?wait=10&where=/params/n=1", shown.messages);
  assert.deepEqual(waited.messages.at(-1)?.data, tick("clock", 1));
  const polling = product.fetch(`${shown.messages}?after=latest&wait=60`);
  await until(async () => (await product.state()).readers === 1);
  assert.equal((await product.fetch(`${PATH}/clock`, { method: "DELETE" })).status, 204);
  await problem(await polling, { status: 404, code: "not_found", sent: "no" });
  await problem(await product.fetch(shown.messages), { status: 404, code: "not_found", sent: "no" });
  await upstream.until(() => methods(upstream.last).at(-1) === "unsubscribe");
  assert.deepEqual(JSON.parse(upstream.last.texts.at(-1) ?? "").params, ["0x2"]);
  upstream.kill();
  await upstream.until(() => upstream.connections.length === 3 && upstream.last.open);
  await product.ready();
  const reply = await product.request({ jsonrpc: "2.0", method: "echo" });
  assert.equal(reply.status, 200);
  assert.deepEqual(methods(upstream.last), ["echo"], "a removed subscription is not requested again");
});

test("a refused subscription is an error and leaves nothing; a declared one shows it in its state", async (t) => {
  const refused = { ...order, request: { ...order.request, params: ["forbidden"] } };
  const { product } = await start(t, { subscriptions: { never: refused } });
  const answer = await product.post(PATH, refused);
  await problem(answer, { status: 502, code: "invalid_reply", sent: "yes", detail: /forbidden/ });
  await until(async () => (await phase(product, "never")) === "failed");
  const list = (await (await product.fetch(PATH)).json()) as { subscriptions: { id: string; last_error: string }[] };
  assert.deepEqual(
    list.subscriptions.map(({ id }) => id),
    ["never"],
  );
  assert.match(list.subscriptions[0]?.last_error ?? "", /forbidden/);
});

test("a subscription that fails otherwise reports that reason and whether it was sent", async (t) => {
  const upstream = await startUpstream({
    onMessage: (message, connection) => agreeButTo("silence", message, connection),
    t,
  });
  const limits = { pace: { messages: 1, per: "60s", queue: 0 } };
  const config = { upstreams: { default: { url: upstream.url }, paced: { url: upstream.url, limits } } };
  const product = await startProduct({ config, t });
  await product.ready();
  const silent = { ...order, request: { ...order.request, params: ["silence"] } };
  const [path, paced] = [PATH, PATH.replace("default", "paced")];
  assert.equal((await product.post(paced, { name: "one", ...order })).status, 201);
  await problem(await product.post(paced, order), { status: 429, code: "paced", sent: "no" });
  const slow = await product.post(`${path}?timeout=200ms`, silent);
  await problem(slow, { status: 504, code: "reply_timeout", sent: "maybe" });
  const lost = product.post(`${path}?timeout=1s`, silent);
  await upstream.until(() => upstream.texts.filter((text) => text.includes("silence")).length === 2);
  await upstream.stop();
  await problem(await lost, { status: 502, code: "connection_lost", sent: "maybe" });
  await problem(await product.post(`${path}?timeout=100ms`, silent), {
    status: 503,
    code: "upstream_down",
    sent: "no",
  });
  assert.deepEqual(await (await product.fetch(path)).json(), { subscriptions: [] });
});

test("a subscription whose caller leaves before the upstream confirms is undone", async (t) => {
  const upstream = await startUpstream({ onMessage: () => {}, t });
  const product = await startProduct({ upstream, t });
  await product.ready();
  const leaving = new AbortController();
  const posted = product.post(PATH, order, { signal: leaving.signal }).catch(() => {});
  await upstream.until(() => upstream.texts.length === 1);
  leaving.abort();
  await posted;
  const { id } = JSON.parse(upstream.texts[0] ?? "");
  await until(async () => /"subscriptions":\[\]/.test(await (await product.fetch(PATH)).text()));
  upstream.last.send({ jsonrpc: "2.0", id, result: "0x1" });
  await upstream.until(() => methods(upstream.last).at(-1) === "unsubscribe");
});

test("two equal concurrent orders share their outcome; a leaving caller takes nothing from the other", async (t) => {
  const upstream = await startUpstream({ onMessage: () => {}, t });
  const product = await startProduct({ upstream, t });
  await product.ready();
  const requested = () => upstream.texts.filter((text) => text.includes('"subscribe"'));
  const named = { name: "clock", ...order };
  const leaving = new AbortController();
  const first = product.post(PATH, named, { signal: leaving.signal }).catch(() => {});
  await upstream.until(() => requested().length === 1);
  const second = product.post(PATH, named);
  const third = await product.post(`${PATH}?timeout=200ms`, named);
  await problem(third, { status: 504, code: "reply_timeout", sent: "maybe" });
  leaving.abort();
  await first;
  await delay(100);
  upstream.last.send({ jsonrpc: "2.0", id: JSON.parse(requested()[0] ?? "").id, result: "0x1" });
  const agreedTo = await second;
  assert.deepEqual([agreedTo.status, requested().length], [200, 1], await agreedTo.clone().text());
  assert.equal(((await agreedTo.json()) as { phase: string }).phase, "active");
  assert.equal((await product.fetch(`${PATH}/clock`)).status, 200);

  const refused = { ...named, name: "refused" };
  const both = [product.post(PATH, refused), product.post(PATH, refused)];
  await upstream.until(() => requested().length === 2);
  await delay(100);
  const error = { code: -1, message: "forbidden" };
  upstream.last.send({ jsonrpc: "2.0", id: JSON.parse(requested()[1] ?? "").id, error });
  for (const each of both) await problem(await each, { status: 502, code: "invalid_reply", sent: "yes" });
  assert.equal((await product.fetch(`${PATH}/refused`)).status, 404);
});

test("the exit responds to callers that wait for the upstream's confirmation", async (t) => {
  const upstream = await startUpstream({ onMessage: () => {}, t });
  const product = await startProduct({
    config: { shutdown: { drain: "300ms" }, upstreams: { default: { url: upstream.url } } },
    t,
  });
  await product.ready();
  const posted = product.post(PATH, order);
  await upstream.until(() => upstream.texts.length === 1);
  const { code } = await product.stop();
  await problem(await posted, { status: 503, code: "cancelled", sent: "maybe" });
  assert.equal(code, 0);
  const [drain] = product.report().steps;
  assert.equal(drain?.outcome, "forced");
});

test("an invalid order is refused, with the reason", async (t) => {
  const { product } = await start(t, { limits: { subscriptions: 0 } });
  const { id: _, ...withoutId } = order;
  const bad: readonly (readonly [unknown, number, string, RegExp])[] = [
    ["{", 400, "invalid_request", /not usable JSON: .* position 1/],
    [`{"request":${"[".repeat(8_000)}${"]".repeat(8_000)}}`, 400, "invalid_request", /nested deeper than 64 levels/],
    [[], 400, "invalid_request", /must be a mapping/],
    [{ ...order, name: "no spaces" }, 400, "invalid_request", /^name must be a name/],
    [{ ...order, match: {} }, 400, "invalid_request", /^match must have at least one value/],
    [{ ...order, extra: 1 }, 400, "invalid_request", /^extra is not a known key/],
    [withoutId, 400, "invalid_request", /^id is missing/],
    [{ preset: "eth_subscribe" }, 400, "invalid_request", /^params is missing/],
    [{ preset: "eth_subscribe", params: [1], id: "/x" }, 400, "invalid_request", /^id is set by the preset/],
    [order, 429, "too_many_in_flight", /limits\.subscriptions/],
  ];
  for (const [body, status, code, detail] of bad) {
    await problem(await product.post(PATH, body), { status, code, sent: "no", detail });
  }
  await problem(await product.fetch(`${PATH}/none`), { status: 404, code: "not_found", sent: "no" });
});

test("messages without a subscription stay where they were", async (t) => {
  const { product, upstream } = await start(t, { subscriptions: { clock: order } });
  upstream.broadcast({ jsonrpc: "2.0", method: "news" });
  const { messages } = await page(product, "?wait=10", MESSAGES);
  assert.deepEqual(messages[0]?.data, { jsonrpc: "2.0", method: "news" });
});

/** Starts the product before an upstream that speaks `json` as `onMessage` says. */
async function startJson(
  t: Cleanup,
  onMessage: (message: Record<string, unknown>, connection: UpstreamConnection) => void,
  more: Config = {},
): Promise<{ product: Product; upstream: Upstream }> {
  const handler = (message: Message, connection: UpstreamConnection) =>
    onMessage(JSON.parse(String(message)), connection);
  const upstream = await startUpstream({ onMessage: handler, t });
  const reconnect = { from: "50ms", to: "100ms" };
  const config = { upstreams: { default: { url: upstream.url, protocol: "json", reconnect, ...more } } };
  const product = await startProduct({ config, t });
  await product.ready();
  return { product, upstream };
}

const lastError = async (product: Product, name: string) =>
  ((await (await product.fetch(`${PATH}/${name}`)).json()) as { last_error: string | null }).last_error ?? "";
const remove = (product: Product, name: string, query = "") =>
  product.fetch(`${PATH}/${name}${query}`, { method: "DELETE" });
const journal = async (product: Product, name: string) =>
  (await page(product, "?limit=1000", `${PATH}/${name}/messages`)).messages;

test("a subscription that is refused in the upstream's own words is an error, and a declared one has failed", async (t) => {
  const feed = { request: { op: "subscribe" }, match: { "/topic": "t" } };
  const { product } = await startJson(
    t,
    ({ id, op }, connection) => connection.send(op === "odd" ? { id, verdict: "no" } : { id, success: false }),
    { subscriptions: { declared: feed } },
  );
  await problem(await product.post(PATH, feed), {
    status: 502,
    code: "invalid_reply",
    sent: "yes",
    detail: /refused it: .*"success":false/,
  });
  const odd = { request: { op: "odd" }, match: { "/topic": "t" }, refused: { has: ["/verdict"] } };
  await problem(await product.post(PATH, odd), { status: 502, code: "invalid_reply", sent: "yes", detail: /verdict/ });
  await until(async () => (await phase(product, "declared")) === "failed");
  assert.match(await lastError(product, "declared"), /"success":false/);
  await problem(await product.post(PATH, { name: "declared", ...feed }), {
    status: 502,
    code: "invalid_reply",
    sent: "yes",
  });
});

test("a subscription is confirmed by messages without an id, which are not kept", async (t) => {
  const { product, upstream } = await startJson(t, ({ op, symbols }, connection) => {
    if (op === "unsubscribe") return connection.send({ event: "unsubscribed", chan: 5 });
    for (const symbol of symbols as string[]) {
      const event = symbol === "odd" ? "no" : "subscribed";
      connection.send({ event, symbol, chan: 5 });
    }
  });
  const feed = (...symbols: string[]) => ({
    request: { op: "subscribe", symbols },
    id: "/chan",
    match: { "/chan": "$id" },
    agreed: symbols.map((symbol) => ({ match: { "/event": "subscribed", "/symbol": symbol } })),
    refused: { match: { "/event": "no" } },
    ended: { match: { "/event": "unsubscribed", "/chan": "$id" } },
    unsubscribe: { op: "unsubscribe", chan: "$id" },
  });
  const created = await product.post(PATH, { name: "both", ...feed("a", "b") });
  assert.equal(created.status, 201, await created.text());
  upstream.last.send({ chan: 5, price: 1 });
  await until(async () => (await journal(product, "both")).length > 0);
  const prices = (await journal(product, "both")).flatMap(({ data }) => (data as { price?: number }).price ?? []);
  assert.deepEqual(prices, [1]);
  assert.equal((await remove(product, "both")).status, 204);
  assert.deepEqual((await page(product, "", MESSAGES)).messages, [], "no confirmation is a message");
  const partly = await product.post(PATH, { name: "partly", ...feed("a", "odd") });
  assert.equal(partly.status, 201);
  assert.match(((await partly.json()) as { last_error: string }).last_error, /refused a part of it: .*odd/);
});

test("a subscription that the upstream ends is a gap, and is requested again on the same connection", async (t) => {
  const event = (subscription: string, kind: string) => ({ method: "event", params: { subscription, kind } });
  const { product, upstream } = await startJson(t, ({ id }, connection) => {
    const name = `S${connection.texts.length}`;
    connection.send({ id, result: name });
    connection.send(event(name, `block-${name}`));
    if (name === "S1") connection.send(event(name, "stop"));
  });
  const ended = { match: { "/params/kind": "stop" } };
  const match = { "/params/subscription": "$id" };
  await product.post(PATH, { name: "f", request: { op: "follow" }, id: "/result", match, ended });
  const kinds = async () =>
    (await journal(product, "f")).map(({ data, gap }) =>
      gap ? gap.reason : (data as { params: { kind: string } }).params.kind,
    );
  await until(async () => (await kinds()).includes("block-S2"));
  assert.deepEqual([...new Set(await kinds())], ["block-S1", "stop", "away", "block-S2"]);
  assert.deepEqual([upstream.connections.length, await phase(product, "f")], [1, "active"]);
  assert.match(await lastError(product, "f"), /ended the subscription: .*stop/);
});

test("a silent subscription is ended at the upstream and requested again", async (t) => {
  const { product, upstream } = await startJson(t, ({ id }, connection) => connection.send({ id, result: "S" }));
  const [request, unsubscribe] = [{ op: "sub" }, { op: "unsub", of: "$id" }];
  await product.post(PATH, {
    name: "f",
    request,
    id: "/result",
    match: { "/s": "$id" },
    unsubscribe,
    silence: "100ms",
  });
  await upstream.until(() => upstream.texts.length >= 3);
  const sent = upstream.texts.map((text) => JSON.parse(text)).map(({ op, of }) => [op, of]);
  assert.deepEqual(sent.slice(0, 3), [
    ["sub", undefined],
    ["unsub", "S"],
    ["sub", undefined],
  ]);
});

test("a request that must not be repeated is sent once, over lost connections and a lost confirmation", async (t) => {
  const { product, upstream } = await startJson(t, ({ id, op }, connection) => {
    if (op !== "unconfirmed") connection.send({ id, result: "W" });
  });
  const requested = (op: string) => upstream.texts.filter((text) => text.includes(op)).length;
  const order = (op: string) => ({ name: op, request: { op }, id: "/result", match: { "/s": "$id" } });
  assert.equal((await product.post(PATH, { ...order("once"), renew: false })).status, 201);
  assert.equal((await product.post(PATH, order("feed"))).status, 201);
  const lost = product.post(PATH, { ...order("unconfirmed"), renew: false });
  await upstream.until(() => requested("unconfirmed") === 1);
  upstream.kill();
  await problem(await lost, { status: 502, code: "connection_lost", sent: "maybe", detail: /renew: false/ });
  await upstream.until(() => requested("feed") === 2);
  assert.deepEqual([requested("once"), requested("unconfirmed")], [1, 1]);
  assert.equal(await phase(product, "once"), "failed");
  assert.match(await lastError(product, "once"), /connection was lost.*not requested again/);
  assert.equal((await journal(product, "once")).at(-1)?.gap?.reason, "away");
  await problem(await product.post(PATH, { ...order("once"), renew: false }), {
    status: 502,
    code: "connection_lost",
    sent: "yes",
  });
  assert.equal((await remove(product, "once")).status, 204);
});

test("a DELETE is an error unless the upstream agrees, and its reply is no message", async (t) => {
  const { product, upstream } = await startJson(t, ({ id, op }, connection) => {
    if (op === "sub") connection.send({ id, result: "S" });
    if (op === "deny") connection.send({ id, result: false });
    if (op === "end") connection.send({ id, result: true });
  });
  const order = (op: string) => ({
    name: op,
    request: { op: "sub" },
    id: "/result",
    match: { "/s": "$id" },
    unsubscribe: { op, of: "$id", n: 1 },
  });
  for (const op of ["end", "deny", "silence"]) assert.equal((await product.post(PATH, order(op))).status, 201);
  assert.equal((await remove(product, "end")).status, 204);
  assert.ok("id" in JSON.parse(upstream.last.texts.at(-1) ?? ""));
  await problem(await remove(product, "deny"), {
    status: 502,
    code: "invalid_reply",
    sent: "yes",
    detail: /removed here, but .*"result":false/,
  });
  await problem(await remove(product, "silence", "?timeout=100ms"), {
    status: 504,
    code: "reply_timeout",
    sent: "maybe",
  });
  assert.deepEqual(await (await product.fetch(PATH)).json(), { subscriptions: [] });
  assert.deepEqual((await page(product, "", MESSAGES)).messages, []);
});

test("numbers beyond 2^53 in the messages and ids of a subscription stay as they were written", async (t) => {
  const big = "9007199254740993";
  const { product, upstream } = await startJson(t, ({ id }, connection) =>
    connection.send(`{"id":${id},"result":${big}}`),
  );
  const text = `{"name":"n","request":{"op":"sub","n":${big}},"id":"/result","match":{"/s":"$id"},"unsubscribe":{"of": "$id"}}`;
  assert.equal((await product.post(PATH, text)).status, 201);
  assert.equal((await product.post(PATH, text.replaceAll(":", " : "))).status, 200, "the same order");
  upstream.last.send(`{"s":${big}}`);
  upstream.last.send('{"s":9007199254740992}');
  await until(async () => (await page(product, "", MESSAGES)).messages.length > 0);
  assert.deepEqual(
    (await journal(product, "n")).map(({ data }) => data),
    [{ s: "n" }],
  );
  assert.equal((await remove(product, "n")).status, 204);
  assert.ok(upstream.texts[0]?.includes(`"n":${big}`), upstream.texts[0]);
  assert.ok(upstream.texts[1]?.includes(`"of":${big}`), upstream.texts[1]);
});

test("a subscription of the configuration cannot be deleted by a caller", async (t) => {
  const declared = { request: { op: "subscribe" }, match: { "/topic": "t" } };
  const answer: Parameters<typeof startJson>[1] = ({ id }, connection) => connection.send({ id, success: true });
  const { product, upstream } = await startJson(t, answer, { subscriptions: { declared } });
  await until(async () => (await phase(product, "declared")) === "active");
  await problem(await remove(product, "declared"), {
    status: 409,
    code: "conflict",
    sent: "no",
    detail: /belongs to the configuration: remove subscriptions\.declared of upstream default there/,
  });
  upstream.last.send({ topic: "t" });
  await until(async () => (await journal(product, "declared")).length === 1);
});
