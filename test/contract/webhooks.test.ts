/** Webhooks: messages pushed to a receiver in order, signed, until they are acknowledged. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Item } from "../support/messages.ts";
import { startProduct } from "../support/product.ts";
import { type Delivery, Receiver } from "../support/receiver.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";

const SECRET = "whsec_c2VjcmV0LWtleS1vZi10aGlzLXRlc3QuLi4=";

const note = (n: number) => ({ jsonrpc: "2.0", method: "note", params: [n] });

async function start(t: Cleanup, receiver: Receiver, more: object = {}) {
  const upstream = await startUpstream({ t });
  const webhooks = [{ url: receiver.url, secret: SECRET, ...more }];
  const product = await startProduct({ config: { upstreams: { default: { url: upstream.url, webhooks } } }, t });
  await product.ready();
  return { upstream, product };
}

test("messages arrive in order, in batches, with a valid signature", async (t) => {
  const receiver = await Receiver.start(t);
  const { upstream, product } = await start(t, receiver, { batch: 10, headers: { "x-mine": "1" } });
  for (let n = 1; n <= 55; n++) upstream.broadcast(note(n));
  await receiver.until(() => receiver.taken().length === 55);
  assert.deepEqual(
    receiver.taken(),
    Array.from({ length: 55 }, (_, n) => n + 1),
  );
  assert.ok(receiver.deliveries.every(({ messages }) => messages.length <= 10));
  for (const { headers, text } of receiver.deliveries) {
    const content = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${text}`;
    const key = Buffer.from(SECRET.slice(6), "base64");
    assert.equal(headers["webhook-signature"], `v1,${createHmac("sha256", key).update(content).digest("base64")}`);
    assert.deepEqual([headers["content-type"], headers["x-mine"]], ["application/json", "1"]);
  }
  const { next, upstream: name } = JSON.parse(receiver.deliveries.at(-1)?.text ?? "");
  const state = async () => ((await product.state()).webhooks as object[])[0];
  await until(async () => ((await state()) as { delivered: number }).delivered === 55);
  const url = new URL(receiver.url).origin;
  assert.deepEqual(await state(), {
    url,
    acknowledged: next,
    delivered: 55,
    failures: 0,
    last_error: null,
    given_up: 0,
    stopped: false,
  });
  assert.equal(name, "default");
});

test("an unacknowledged delivery is repeated unchanged until it is acknowledged, and delays no one else", async (t) => {
  const receiver = await Receiver.start(t);
  const answers = [500, 302, 404];
  const refused: string[] = [];
  receiver.status = ({ text }) => {
    const seen = refused.filter((before) => before === text).length;
    return seen < answers.length ? answers[seen] : 204;
  };
  const { upstream, product } = await start(t, receiver);
  upstream.broadcast(note(1));
  for (let attempt = 1; attempt <= 4; attempt++) {
    await receiver.until(() => receiver.deliveries.length === attempt, { within: 20_000 });
    refused.push(receiver.deliveries[0]?.text ?? "");
  }
  const [first, ...others] = receiver.deliveries;
  for (const { text, headers } of others) {
    assert.equal(text, first?.text);
    assert.equal(headers["webhook-id"], first?.headers["webhook-id"]);
  }
  assert.equal((await product.request({ jsonrpc: "2.0", id: 1, method: "echo", params: [] })).status, 200);
  await product.said(/cannot be pushed: the receiver answered 500/);
  await product.until(() => /takes messages again/.test(product.stderr()));
});

test("an absent receiver is found when it appears, and until then no output shows more than its origin", async (t) => {
  const receiver = await Receiver.start(t);
  const { port } = new URL(receiver.url);
  await receiver.stop();
  receiver.url += "/canary-path?key=canary-query";
  const { upstream, product } = await start(t, receiver);
  upstream.broadcast(note(1));
  await product.until(() => /cannot be pushed: the receiver could not be reached/.test(product.stderr()));
  const { webhooks } = (await product.state()) as { webhooks: object[] };
  assert.match(JSON.stringify(webhooks), /could not be reached \(.+\)/);
  await receiver.listen(Number(port));
  await receiver.until(() => receiver.taken().length === 1, { within: 20_000 });
  await product.stop();
  assert.doesNotMatch(JSON.stringify(webhooks) + product.stdout() + product.stderr(), /canary/);
});

test("a receiver that never answers holds up neither requests nor the exit", async (t) => {
  const receiver = await Receiver.start(t);
  receiver.status = () => undefined;
  const { upstream, product } = await start(t, receiver, { timeout: "60s" });
  upstream.broadcast(note(1));
  await receiver.until(() => receiver.deliveries.length === 1);
  assert.equal((await product.request({ jsonrpc: "2.0", id: 1, method: "echo", params: [] })).status, 200);
  const { code, ms } = await product.stop();
  assert.equal(code, 0, product.stderr());
  assert.ok(ms < 5_000, `${ms} ms`);
});

test("only the selected messages, and those of a subscription, are delivered", async (t) => {
  const receiver = await Receiver.start(t);
  const upstream = await startUpstream({ t });
  const subscriptions = {
    odd: { request: { jsonrpc: "2.0", method: "echo", params: [] }, match: { "/method": "odd" } },
  };
  const webhooks = [{ url: receiver.url, subscription: "odd", where: { "/params/0": 3 } }];
  const product = await startProduct({
    config: { upstreams: { default: { url: upstream.url, subscriptions, webhooks } } },
    t,
  });
  await product.ready();
  await until(async () => {
    const answer = await product.fetch("/v1/upstreams/default/subscriptions/odd");
    return ((await answer.json()) as { phase: string }).phase === "active";
  });
  for (let n = 1; n <= 4; n++) upstream.broadcast({ jsonrpc: "2.0", method: n % 2 ? "odd" : "even", params: [n] });
  await receiver.until(() => receiver.taken().length === 1);
  assert.deepEqual(receiver.taken(), [3]);
  assert.equal(receiver.deliveries[0]?.headers["webhook-signature"], undefined);
});

const numbersIn = ({ messages }: Delivery) =>
  messages.map(({ data }) => (data as { params: number[] } | undefined)?.params[0]);

test("a message that the receiver refuses is found in its batch and given up, with a gap in its place", async (t) => {
  const receiver = await Receiver.start(t);
  receiver.status = (delivery) => (numbersIn(delivery).includes(4) ? 422 : 204);
  const { upstream, product } = await start(t, receiver, { give_up_after: "1s" });
  for (let n = 1; n <= 6; n++) upstream.broadcast(note(n));
  await receiver.until(() =>
    receiver.deliveries.some((delivery) => numbersIn(delivery).includes(6) && !numbersIn(delivery).includes(4)),
  );
  const taken = receiver.deliveries.filter((delivery) => receiver.status(delivery) === 204).flatMap(numbersIn);
  assert.deepEqual(taken, [1, 2, 3, undefined, 5, 6]);
  const gap = receiver.deliveries.flatMap(({ messages }) => messages).find((item) => item.gap !== undefined)?.gap;
  assert.deepEqual([gap?.dropped, gap?.reason], [1, "refused"]);
  const ids = new Map(receiver.deliveries.map(({ headers, text }) => [headers["webhook-id"], text]));
  assert.equal(ids.size, new Set(ids.values()).size, "another body has another id");
  await product.until(() => /cannot be pushed: the receiver answered 422/.test(product.stderr()));
  const state = async () => ((await product.state()).webhooks as { given_up: number; delivered: number }[])[0];
  await until(async () => (await state())?.delivered === 6);
  assert.equal((await state())?.given_up, 1);
});

test("a receiver that answers 410 gets nothing more, and the state and the log say so", async (t) => {
  const receiver = await Receiver.start(t);
  receiver.status = () => 410;
  const { upstream, product } = await start(t, receiver, { batch: 1 });
  for (const n of [1, 2]) upstream.broadcast(note(n));
  const state = async () => ((await product.state()).webhooks as { stopped: boolean; last_error: string }[])[0];
  await until(async () => (await state())?.stopped);
  assert.match((await state())?.last_error ?? "", /410: nothing more is sent/);
  await product.until(() => /the receiver answered 410: nothing more is sent/.test(product.stderr()));
  await delay(1_500);
  assert.equal(receiver.deliveries.length, 1);
});

test("a Retry-After in seconds is honoured", async (t) => {
  const receiver = await Receiver.start(t);
  receiver.headers = { "retry-after": "2" };
  receiver.status = ({ text }) => (receiver.deliveries[0]?.text === text && receiver.deliveries.length > 1 ? 204 : 429);
  const { upstream } = await start(t, receiver);
  upstream.broadcast(note(1));
  await receiver.until(() => receiver.deliveries.length === 2, { within: 10_000 });
  const [first, second] = receiver.deliveries;
  assert.ok((second?.at ?? 0) - (first?.at ?? 0) >= 1_990);
});

test("two secrets give two signatures, in the order of the settings", async (t) => {
  const receiver = await Receiver.start(t);
  const old = "the old secret";
  const { upstream } = await start(t, receiver, { secret: [SECRET, old] });
  upstream.broadcast(note(1));
  await receiver.until(() => receiver.deliveries.length === 1);
  const { headers, text } = receiver.deliveries[0] as Delivery;
  const content = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${text}`;
  const keys = [Buffer.from(SECRET.slice(6), "base64"), Buffer.from(old)];
  const signed = keys.map((key) => `v1,${createHmac("sha256", key).update(content).digest("base64")}`);
  assert.equal(headers["webhook-signature"], signed.join(" "));
});

test("an answer that waits for the delivery goes out after the receiver's 2xx, and never without one", async (t) => {
  const receiver = await Receiver.start(t);
  let refusing = true;
  receiver.status = ({ text }) => (text.includes("poison") ? 422 : refusing ? 503 : 204);
  const upstream = await startUpstream({ t, onMessage: () => {} });
  const answers = [
    {
      when: { has: ["/envelope_id"] },
      send: { ack: true },
      copy: { "/envelope_id": "/envelope_id" },
      after: "delivered",
      within: "20s",
    },
    { when: { has: ["/impatient"] }, send: { ack: "too late" }, after: "delivered", within: "1ms" },
  ];
  const settings = {
    url: upstream.url,
    protocol: { preset: "json", answers },
    webhooks: [{ url: receiver.url, give_up_after: "100ms" }],
  };
  const product = await startProduct({ config: { upstreams: { default: settings } }, t });
  await product.ready();
  const send = (message: object) => upstream.last.send(message);
  const counters = async () => (await product.state()).counters as unknown as Record<string, number>;
  send({ impatient: 1 });
  send({ envelope_id: "first" });
  await receiver.until(() => receiver.deliveries.length >= 2);
  await until(async () => (await counters()).unanswered === 1);
  assert.deepEqual(upstream.texts, [], "it is not delivered yet");
  refusing = false;
  await upstream.until(() => upstream.texts.length === 1, { within: 20_000 });
  assert.deepEqual(JSON.parse(upstream.texts[0] ?? ""), { envelope_id: "first", ack: true });
  send({ envelope_id: "poison" });
  send({ envelope_id: "second" });
  await upstream.until(() => upstream.texts.length === 2, { within: 20_000 });
  assert.match(upstream.texts[1] ?? "", /second/, "what the receiver refused is not acknowledged");
  upstream.kill();
  await until(async () => (await counters()).unanswered === 2);
  assert.equal((await counters()).answered, 2);
});

test("a receiver replies to requests of the upstream, each alone, if the configuration lets it", async (t) => {
  const receiver = await Receiver.start(t);
  const asked = ({ messages: [first] }: Delivery) => (first?.data as { id?: string } | undefined)?.id;
  const bodies: Readonly<Record<string, string | Uint8Array>> = {
    one: '{"result":["tab"]}',
    silent: "",
    odd: '{"outcome":1}',
    large: JSON.stringify({ result: "x".repeat(70_000) }),
    bytes: new Uint8Array([255]),
  };
  receiver.status = () => 200;
  receiver.body = (delivery) => bodies[asked(delivery) ?? ""] ?? '{"result":"unasked"}';
  const upstream = await startUpstream({ t, onMessage: () => {} });
  const ask = (id: string) => ({ jsonrpc: "2.0", id, method: "configuration" });
  const config = {
    upstreams: {
      on: { url: `${upstream.url}on`, webhooks: [{ url: receiver.url, replies: true }] },
      off: { url: `${upstream.url}off`, webhooks: [{ url: `${receiver.url}?off` }] },
    },
  };
  const product = await startProduct({ config, t });
  await product.ready();
  const [on, off] = ["/on", "/off"].map((path) => upstream.connections.find((each) => each.path === path));
  off?.send(ask("one"));
  await receiver.until(() => receiver.deliveries.length === 1);
  for (const each of [note(1), ask("one"), note(2), note(3), ask("silent"), ask("odd"), ask("large"), ask("bytes")])
    on?.send(each);
  on?.send(note(4));
  const named = (data: unknown) =>
    (data as { id?: string; params?: number[] }).id ?? (data as { params: [number] }).params[0];
  const batches = () => receiver.deliveries.slice(1).map(({ messages }) => messages.map(({ data }) => named(data)));
  await receiver.until(() => batches().flat().includes(4), { what: () => JSON.stringify(batches()) });
  const alone = batches().filter((batch) => batch.some((name) => typeof name === "string"));
  assert.deepEqual(alone, [["one"], ["silent"], ["odd"], ["large"], ["bytes"]], "each once, and alone");
  assert.deepEqual(batches().flat(), [1, "one", 2, 3, "silent", "odd", "large", "bytes", 4], "in their order");
  await until(() => upstream.texts.length > 0);
  assert.deepEqual([on?.texts, off?.texts], [['{"jsonrpc":"2.0","id":"one","result":["tab"]}'], []]);
  const page = (await (await product.fetch("/v1/upstreams/on/messages")).json()) as { messages: readonly Item[] };
  const states = page.messages.flatMap(({ data, reply }) => (reply === undefined ? [] : `${named(data)} ${reply}`));
  assert.deepEqual(states, ["one given", "silent wanted", "odd wanted", "large wanted", "bytes wanted"]);
  const warned = () => product.stderr().match(/the receiver's reply to \S+ was not sent: [^"]+/g) ?? [];
  await until(() => warned().length === 3);
  assert.match(warned()[0] ?? "", /a reply is/);
  for (const line of warned().slice(1)) assert.match(line, /more than 64 KiB, or is not UTF-8/);
});
