/** `?confirm=pong` and the pace, on the real process: every claim is checked against what the upstream received. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { never } from "../faults/replies.ts";
import { startFaultUpstream } from "../faults/upstream.ts";
import { startProduct } from "../support/product.ts";
import { problem } from "./expect.ts";

const SEND = "/v1/upstreams/default/send";
const note = (n: number) => ({ jsonrpc: "2.0", method: "note", params: [n] });

test("confirm=pong responds once the peer has the message, and only then says yes", async (t) => {
  const upstream = await startFaultUpstream({ onMessage: never }, { t });
  const product = await startProduct({ config: { upstreams: { default: { url: upstream.url } } }, t });
  await product.ready();
  for (let n = 1; n <= 5; n++) {
    const response = await product.post(`${SEND}?confirm=pong`, note(n));
    assert.deepEqual([response.status, response.headers.get("sidesocket-sent")], [204, "yes"]);
    assert.equal(upstream.texts.length, n, "received before the response came");
  }
  const many = await Promise.all(Array.from({ length: 100 }, (_, n) => product.post(`${SEND}?confirm=pong`, note(n))));
  assert.ok(many.every(({ status }) => status === 204));
  assert.equal(upstream.texts.length, 105);
  assert.ok(upstream.last.pings.length < 105, `${upstream.last.pings.length} pings: one serves many`);
  const wrong = { status: 400, code: "invalid_request", sent: "no", detail: /confirm must be pong/ } as const;
  await problem(await product.post(`${SEND}?confirm=yes`, note(0)), wrong);
});

test("a missing pong is maybe, at the deadline and when the connection is lost", async (t) => {
  const upstream = await startFaultUpstream({ onMessage: never, onPing: false }, { t });
  const settings = { url: upstream.url, keepalive: { ping: "10m", pong_within: "10m" } };
  const product = await startProduct({ config: { upstreams: { default: settings } }, t });
  await product.ready();
  const late = await product.post(`${SEND}?confirm=pong&timeout=300ms`, note(1));
  await problem(late, {
    status: 504,
    code: "reply_timeout",
    sent: "maybe",
    detail: /^no pong came within \d+ ms; no frame came/,
  });
  const pending = product.post(`${SEND}?confirm=pong`, note(2));
  await upstream.until(() => upstream.texts.length === 2);
  upstream.last.reset();
  await problem(await pending, {
    status: 502,
    code: "connection_lost",
    sent: "maybe",
    detail: /before the pong came$/,
  });
});

test("the pace is kept as the upstream counts it, and a full queue is 429 with a Retry-After that holds", async (t) => {
  const arrived: number[] = [];
  const upstream = await startFaultUpstream({ onMessage: () => arrived.push(performance.now()) }, { t });
  const pace = { messages: 5, per: "1s", queue: 5, jitter: "200ms" };
  const product = await startProduct({
    config: { upstreams: { default: { url: upstream.url, limits: { pace } } } },
    t,
  });
  await product.ready();
  const answers = await Promise.all(Array.from({ length: 12 }, (_, n) => product.post(SEND, note(n))));
  const refused = answers.filter(({ status }) => status === 429);
  assert.ok(refused.length >= 1, "twelve at once exceed a pace of five and a queue of five");
  for (const answer of refused) {
    const after = Number(answer.headers.get("retry-after"));
    assert.ok(after >= 1 && after <= 3, `${after} s`);
    await problem(answer, { status: 429, code: "paced", sent: "no", detail: /limits\.pace/ });
  }
  const handed = answers.filter(({ status }) => status === 204).length;
  // A message handed to the socket has not arrived yet.
  await upstream.until(() => arrived.length >= handed);
  assert.equal(arrived.length, handed);
  arrived.forEach((from, index) => {
    const next = arrived[index + pace.messages];
    assert.ok(next === undefined || next - from >= 1_000, `${pace.messages + 1} within ${next ?? 0} - ${from} ms`);
  });
});

test("the frames of a greeting use up the pace where all frames count", async (t) => {
  const upstream = await startFaultUpstream({ onMessage: never }, { t });
  const settings = (counts: string) => ({
    url: upstream.url,
    greeting: [{ send: { login: counts } }],
    limits: { pace: { messages: 2, per: "60s", counts } },
  });
  const upstreams = { default: settings("messages"), strict: settings("all") };
  const product = await startProduct({ config: { upstreams }, t });
  await product.ready();
  assert.equal((await product.post(SEND, note(1))).status, 204);
  const held = await product.post(`${SEND.replace("default", "strict")}?timeout=300ms`, note(2));
  await problem(held, { status: 504, code: "reply_timeout", sent: "no" });
});
