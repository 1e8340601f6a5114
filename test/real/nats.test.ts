/** The preset nats in front of Debian's `nats-server`: requests, subscriptions, refusals, JetStream, and a restart. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startEcho, startNats } from "./nats-server.ts";
import { lacks } from "./programs.ts";

const CANARY = 'the"canary';

const LINES = [
  "max_payload: 65536",
  'ping_interval: "200ms"',
  "authorization { users: [",
  '  { user: all, password: "right" }',
  // It may not publish to inboxes: that a subscription was taken in is seen nevertheless.
  '  { user: narrow, password: "the\\"canary", permissions: {',
  '    publish: ["orders.>", "svc.>"], subscribe: ["_INBOX.>", "orders.>"] } }',
  "] }",
];

interface Message {
  readonly subject: string;
  readonly data: unknown;
}

test("requests, messages and refusals pass as JSON, and again after a restart of the server", {
  skip: lacks("nats-server"),
}, async (t) => {
  const server = await startNats({ t, lines: LINES });
  await startEcho(server, t);
  const at = (user: string, password: string, more: object = {}) => ({
    url: server.url,
    protocol: { preset: "nats", user, password },
    reconnect: { from: "50ms", to: "500ms", refused: "1h" },
    ...more,
  });
  const orders = {
    request: { subscribe: "orders.>" },
    id: "/sid",
    match: { "/sid": "$id" },
    unsubscribe: { unsubscribe: "$id" },
  };
  const upstreams = {
    default: at("all", "right"),
    narrow: at("narrow", CANARY, { subscriptions: { orders } }),
    stranger: at("all", "wrong", { required: false }),
  };
  const product = await startProduct({ config: { upstreams }, args: ["--log-level", "trace"], t });
  await product.ready();
  const post = async (to: string, message: object) => {
    const response = await product.post(`/v1/upstreams/${to}`, message);
    const text = await response.text();
    return { status: response.status, body: (text === "" ? undefined : JSON.parse(text)) as never };
  };
  const request = async (message: object, to = "default") => (await post(`${to}/request`, message)).body as object;
  const messagesOf = async (subscription: string) => {
    const page = await product.fetch(`/v1/upstreams/narrow/subscriptions/${subscription}/messages?after=earliest`);
    return ((await page.json()) as { messages: readonly { readonly data: Message }[] }).messages.map(
      (each) => each.data,
    );
  };
  const isActive = async (activations: number) => {
    const response = await product.fetch("/v1/upstreams/narrow/subscriptions/orders");
    return ((await response.json()) as { activations: number }).activations >= activations;
  };
  await until(() => isActive(1), { what: "the subscription" });

  const headers = { A: ["1", "2"], B: "ü" };
  const data = { n: 12345678901234567890n };
  const asked = `{"subject":"svc.echo","headers":${JSON.stringify(headers)},"data":{"n":${data.n}}}`;
  const response = await product.request(asked);
  assert.equal(await response.text(), asked);
  assert.deepEqual(await request({ subject: "svc.echo", data: "a\r\nb" }), { subject: "svc.echo", data: "a\r\nb" });
  const bytes = { subject: "svc.echo", encoding: "base64", data: "/wA=" };
  assert.deepEqual(await request(bytes), bytes);
  const replies = await Promise.all(Array.from({ length: 50 }, (_, n) => request({ subject: "svc.echo", data: [n] })));
  assert.deepEqual(
    replies.map((reply) => (reply as Message).data),
    Array.from({ length: 50 }, (_, n) => [n]),
  );

  const error = "no responders: nothing subscribes to svc.none";
  assert.deepEqual(await request({ subject: "svc.none" }), { subject: "svc.none", status: 503, error, data: "" });
  const denied = await Promise.all([
    request({ subject: "secret.a" }, "narrow"),
    request({ subject: "svc.echo", data: "1" }, "narrow"),
    request({ subscribe: "secret.>" }, "narrow"),
    request({ subject: "secret.b" }, "narrow"),
    request({ subscribe: "orders.a" }, "narrow").then((reply) => ({ ...reply, sid: "?" })),
  ]);
  assert.deepEqual(denied, [
    { error: 'Permissions Violation for Publish to "secret.a"' },
    { subject: "svc.echo", data: "1" },
    { error: 'Permissions Violation for Subscription to "secret.>"' },
    { error: 'Permissions Violation for Publish to "secret.b"' },
    { subscribe: "orders.a", sid: "?" },
  ]);
  const refused = await post("narrow/subscriptions", { ...orders, request: { subscribe: "secret.>" } });
  assert.match(JSON.stringify(refused), /502.*Permissions Violation for Subscription/);
  assert.match(JSON.stringify(await post("default/send", { subject: "a", data: "x".repeat(70_000) })), /400.*65536/);
  assert.equal((await product.state("stranger")).phase, "refused");
  assert.match(JSON.stringify(await product.state("stranger")), /Authorization Violation/);

  // Both subscribe in one group: each message comes to one of them, and to the subscription beside it.
  const group = (name: string) => ({ ...orders, name, request: { subscribe: "orders.*", queue: "workers" } });
  assert.equal((await post("narrow/subscriptions", group("one"))).status, 201);
  assert.equal((await post("narrow/subscriptions", group("two"))).status, 201);
  for (let n = 0; n < 20; n++)
    assert.equal((await post("default/send", { subject: "orders.b", data: { n } })).status, 204);
  await until(async () => (await messagesOf("orders")).length === 20, { what: "twenty messages" });
  const shares = () => Promise.all(["one", "two"].map(messagesOf));
  await until(async () => (await shares()).flat().length === 20, { what: "the shares of both" });
  assert.deepEqual((await messagesOf("orders"))[0], { subject: "orders.b", sid: "orders", data: { n: 0 } });
  const { status } = await product.fetch("/v1/upstreams/narrow/subscriptions/one", { method: "DELETE" });
  assert.equal(status, 204);

  const stream = { name: "JOBS", subjects: ["jobs.*"], storage: "memory" };
  const api = async (subject: string, data: unknown) =>
    (await request({ subject: `$JS.API.${subject}`, data })) as {
      readonly reply: string;
      readonly data: { readonly name?: string; readonly config: { readonly name?: string } };
    };
  assert.equal((await api("STREAM.CREATE.JOBS", stream)).data.config.name, "JOBS");
  assert.deepEqual(await request({ subject: "jobs.a", data: "work" }), {
    subject: "jobs.a",
    data: { stream: "JOBS", seq: 1 },
  });
  const consumer = { stream_name: "JOBS", config: { durable_name: "W", ack_policy: "explicit" } };
  assert.equal((await api("CONSUMER.DURABLE.CREATE.JOBS.W", consumer)).data.name, "W");
  const next = { batch: 1, no_wait: true };
  const { reply, ...pulled } = await api("CONSUMER.MSG.NEXT.JOBS.W", next);
  assert.deepEqual(pulled, { subject: "jobs.a", data: "work" });
  assert.deepEqual(await request({ subject: reply, data: "+ACK" }), { subject: reply, data: "" });
  const nothing = { subject: "$JS.API.CONSUMER.MSG.NEXT.JOBS.W", status: 404, error: "No Messages", data: "" };
  assert.deepEqual(await api("CONSUMER.MSG.NEXT.JOBS.W", next), nothing);

  await product.said(/default: sent PONG/);
  await server.child.kill();
  await until(async () => (await product.state()).phase !== "ready", { what: "the end of the connection" });
  const again = await startNats({ t, lines: LINES, port: server.port });
  await startEcho(again, t);
  await until(() => isActive(2), { within: 30_000, what: "the subscription after the restart" });
  await product.ready();
  assert.deepEqual(await request({ subject: "svc.echo", data: [1] }), { subject: "svc.echo", data: [1] });
  await product.stop();
  assert.equal(product.report().forced, false);
  assert.doesNotMatch(product.child.output(), /canary/);
});
