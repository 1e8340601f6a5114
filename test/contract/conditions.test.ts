/** Conditions on frames, as the configuration has them, in front of an upstream. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import { problem } from "./expect.ts";

const reconnect = { from: "20ms", to: "50ms", refused: "30s" };
const TOKEN = "s3cret-of-the-login";

test("a refusal of the greeting is told with its frame, cut and without the secrets that were sent", async (t) => {
  const refusal = { id: 1, error: `unknown key ${TOKEN}`, padding: "x".repeat(500) };
  const upstream = await startUpstream({ onMessage: (_, connection) => connection.send(JSON.stringify(refusal)), t });
  const greeting = [{ send: { op: "login", key: TOKEN }, expect: { has: ["/id"] }, reject: { has: ["/error"] } }];
  const product = await startProduct({
    config: { upstreams: { default: { url: upstream.url, greeting, reconnect } } },
    args: ["--log-format", "json"],
    t,
  });
  await until(async () => (await product.state()).phase === "refused");
  const said =
    /^the upstream refused the greeting: step 1 received {"id":1,"error":"unknown key \(redacted\)","padding/;
  const lastError = String((await product.state()).last_error);
  assert.match(lastError, said);
  assert.ok(lastError.length < 260, lastError);
  await product.line((line) => /step 1 received/.test(JSON.stringify(line)));
  await problem(await product.request({ jsonrpc: "2.0", id: 1, method: "m" }), {
    status: 502,
    code: "login_refused",
    sent: "no",
  });
  assert.doesNotMatch(product.stderr() + lastError, /s3cret/);
});

test("the class of a rejection decides when the greeting is tried again", async (t) => {
  const upstream = await startUpstream({
    onMessage: (_, connection) => connection.send(connection.number < 3 ? "busy, come back" : "welcome"),
    t,
  });
  const greeting = [{ send: "hello" }, { expect: { text: "^welcome$" }, reject: { text: "^busy", class: "retry" } }];
  const product = await startProduct({
    config: { upstreams: { default: { url: upstream.url, protocol: "text", greeting, reconnect } } },
    t,
  });
  await product.ready();
  assert.equal(upstream.connections.length, 3);
});

test("a greeting that gets no frame that it expects says which frame came last", async (t) => {
  const upstream = await startUpstream({ onConnection: (connection) => connection.send("420 slow down"), t });
  const greeting = [{ expect: { text: "^200", within: "200ms" } }];
  const product = await startProduct({ config: { upstreams: { default: { url: upstream.url, greeting } } }, t });
  await until(async () =>
    /no matching frame within 200 ms; the last frame was 420 slow down$/.test(
      String((await product.state()).last_error),
    ),
  );
});

test("any frame that is no JSON can be expected, answered, subscribed to and pushed", async (t) => {
  const upstream = await startUpstream({
    onConnection: (connection) => connection.send("HELLO"),
    onMessage: (message, connection) => {
      if (message === "PONG") connection.send("tick 7");
      else connection.send(JSON.stringify({ ...JSON.parse(String(message)), ok: true }));
      if (message !== "PONG") connection.send("PING");
    },
    t,
  });
  const product = await startProduct({
    config: {
      upstreams: {
        default: {
          url: upstream.url,
          greeting: [{ expect: { match: {} } }],
          protocol: { preset: "json", answers: [{ when: { text: "^PING$" }, send: "PONG" }] },
        },
      },
    },
    t,
  });
  await product.ready();
  // The compiler of patterns is loaded already; a subscription of a caller that has one waits for nothing.
  const order = { name: "ticks", request: { op: "subscribe" }, any: [{ text: "^tick " }, { text: "^tock " }] };
  assert.equal((await product.post("/v1/upstreams/default/subscriptions", order)).status, 201);
  const page = await product.fetch("/v1/upstreams/default/subscriptions/ticks/messages?wait=5");
  assert.deepEqual(
    ((await page.json()) as { messages: { data: unknown }[] }).messages.map(({ data }) => data),
    ["tick 7"],
  );
});

test("a caller's subscription may have the first pattern of its upstream", async (t) => {
  const upstream = await startUpstream({
    onMessage: (message, connection) => {
      connection.send(JSON.stringify({ id: JSON.parse(String(message)).id, ok: true }));
      connection.send('{"price":7}');
    },
    t,
  });
  const product = await startProduct({
    config: { upstreams: { default: { url: upstream.url, protocol: "json" } } },
    t,
  });
  await product.ready();
  const order = { name: "prices", request: { op: "subscribe" }, text: '"price":[0-9]' };
  assert.equal((await product.post("/v1/upstreams/default/subscriptions", order)).status, 201);
  const page = await product.fetch("/v1/upstreams/default/subscriptions/prices/messages?wait=5");
  assert.equal(((await page.json()) as { messages: unknown[] }).messages.length, 1);
  const wrong = await product.post("/v1/upstreams/default/subscriptions", { ...order, name: "b", text: "(" });
  await problem(wrong, { status: 400, code: "invalid_request", sent: "no", detail: /^text must be an RE2 pattern/ });
});

test("`where` without a value asks only that there is one", async (t) => {
  const upstream = await startUpstream({
    onConnection: (connection) => {
      for (const text of ['{"a":null}', '{"b":1}']) connection.send(text);
    },
    t,
  });
  const product = await startProduct({
    config: { upstreams: { default: { url: upstream.url, protocol: "json" } } },
    t,
  });
  await product.ready();
  const page = await product.fetch("/v1/upstreams/default/messages?where=/a&wait=5");
  assert.deepEqual(
    ((await page.json()) as { messages: { data: unknown }[] }).messages.map(({ data }) => data),
    [{ a: null }],
  );
});

test("an answered request is a message if the rule keeps it, JSON or not, and otherwise is none", async (t) => {
  const sent = ['{"envelope_id":"e1"}', '{"type":"ping"}', "RING 7", "PING", '{"envelope_id":"e2"}'];
  const upstream = await startUpstream({
    onConnection: (connection) => {
      for (const text of sent) connection.send(text);
    },
    onMessage: () => {},
    t,
  });
  const answers = [
    { when: { has: ["/envelope_id"] }, send: {}, copy: { "/envelope_id": "/envelope_id" }, keep: true },
    { when: { match: { "/type": "ping" } }, send: { type: "pong" } },
    { when: { text: "^RING" }, send: "HEARD", keep: true },
    { when: { text: "^PING$" }, send: "PONG" },
  ];
  const protocol = { preset: "json", answers };
  const product = await startProduct({ config: { upstreams: { default: { url: upstream.url, protocol } } }, t });
  await until(() => upstream.connections[0]?.texts.length === sent.length);
  assert.deepEqual(upstream.last.texts, [
    '{"envelope_id":"e1"}',
    '{"type":"pong"}',
    "HEARD",
    "PONG",
    '{"envelope_id":"e2"}',
  ]);
  const page = await product.fetch("/v1/upstreams/default/messages");
  const { messages } = (await page.json()) as { messages: { data: unknown }[] };
  assert.deepEqual(
    messages.map(({ data }) => data),
    [{ envelope_id: "e1" }, "RING 7", { envelope_id: "e2" }],
  );
  assert.equal(((await product.state()).counters as { answered: number }).answered, sent.length);
});
