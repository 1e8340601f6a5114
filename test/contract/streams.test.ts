/** Replies of several frames through /request: each frame as a line or an event, as it arrives. */
import assert from "node:assert/strict";
import { MESSAGES, Stream } from "../support/messages.ts";
import { type Product, startProduct } from "../support/product.ts";
import { sideBySide } from "../support/side-by-side.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { problem } from "./expect.ts";
import { written } from "./files.ts";

const test = sideBySide("replies of several frames");

const REQUEST = "/v1/upstreams/default/request";
const LINES = { accept: "application/x-ndjson" };
const EVENTS = { accept: "text/event-stream" };

const protocol = `export default {
  name: "rows",
  accepts: "json",
  streams: true,
  encode(message, id) {
    const asked = JSON.parse(message);
    return { frame: JSON.stringify({ ...asked, id }), expectsReply: true, subscribes: asked.subscribe === true };
  },
  decode(frame) {
    const { id, ...rest } = JSON.parse(frame);
    const render = () => JSON.stringify(rest);
    if (id === undefined) return { type: "message" };
    return rest.end ? { type: "reply", id, render, gather: (all) => "[" + all + "]" } : { type: "part", id, render };
  },
  cancel: (id) => JSON.stringify({ cancel: id }),
};
`;

interface StreamRequest {
  readonly id: number;
  readonly rows?: number;
  readonly flood?: number;
  readonly cancel?: number;
}

/**
 * Starts an upstream that sends the requested number of rows and an end, rows without an end as fast as it can, or
 * nothing.
 */
async function start(t: Cleanup, limits: object = {}): Promise<{ product: Product; upstream: Upstream }> {
  const upstream = await startUpstream({
    t,
    onMessage: (message, connection) => {
      const { id, rows, flood } = JSON.parse(String(message)) as StreamRequest;
      for (let n = 1; n <= (rows ?? flood ?? 0); n++) {
        connection.send({ id, n, ...(flood !== undefined && { fill: "x".repeat(10_000) }) });
      }
      if (rows !== undefined) connection.later(20, () => connection.send({ id, end: true }));
    },
  });
  const path = await written(t, "rows.mjs", protocol);
  const settings = { url: upstream.url, protocol: path, limits, reconnect: { from: "20ms", to: "100ms" } };
  const product = await startProduct({ config: { upstreams: { default: settings } }, t });
  await product.ready();
  return { product, upstream };
}

const cancels = (upstream: Upstream): number[] =>
  upstream.texts.map((text) => (JSON.parse(text) as StreamRequest).cancel).filter((id) => id !== undefined);

test("the Accept header selects lines, events or one reply of all frames", async (t) => {
  const { product } = await start(t);
  const lines = await Stream.open(product, REQUEST, LINES, t, { rows: 3 });
  await lines.until(() => lines.ended);
  assert.equal(lines.response.headers.get("content-type"), "application/x-ndjson; charset=utf-8");
  assert.equal(lines.text, '{"n":1}\n{"n":2}\n{"n":3}\n{"end":true}\n');
  const events = await Stream.open(product, REQUEST, EVENTS, t, { rows: 2 });
  await events.until(() => events.ended);
  assert.deepEqual(
    events.events.map(({ name, data }) => [name, data]),
    [
      ["message", '{"n":1}'],
      ["message", '{"n":2}'],
      ["message", '{"end":true}'],
      ["end", "{}"],
    ],
  );
  for (const accept of ["*/*", "application/json"]) {
    const whole = await product.request({ rows: 2 }, { headers: { accept } });
    assert.deepEqual(await whole.json(), [{ n: 1 }, { n: 2 }, { end: true }]);
  }
});

test("a failure before the first frame is a problem; a stream takes no key and no pick", async (t) => {
  const { product, upstream } = await start(t);
  const silent = await product.post(`${REQUEST}?timeout=200ms`, {}, { headers: LINES });
  assert.equal(silent.status, 504);
  assert.deepEqual([silent.headers.get("sidesocket-code"), silent.headers.get("location")], ["reply_timeout", null]);
  await silent.body?.cancel();
  await upstream.until(() => cancels(upstream).length === 1, { what: "the upstream to be notified" });
  for (const [path, headers] of [
    [REQUEST, { ...LINES, "idempotency-key": "k" }],
    [`${REQUEST}?pick=/n`, LINES],
  ] as const) {
    const refused = await product.post(path, { rows: 1 }, { headers });
    await problem(refused, { status: 400, code: "invalid_request", sent: "no" });
  }
});

test("a stream outlives its request's timeout, and ends with an error when its connection is lost", async (t) => {
  const { product, upstream } = await start(t);
  const flood = { flood: 1 };
  const lines = await Stream.open(product, `${REQUEST}?timeout=300ms`, LINES, t, flood);
  const events = await Stream.open(product, `${REQUEST}?timeout=300ms`, EVENTS, t, flood);
  const late = await product.post(`${REQUEST}?timeout=600ms`, {}, { headers: LINES });
  assert.equal(late.status, 504, "their timeout is long over by then");
  await late.body?.cancel();
  assert.deepEqual([lines.ended, events.ended], [false, false]);
  upstream.last.kill();
  await lines.until(() => lines.ended);
  await events.until(() => events.ended);
  const outcomes = [
    (lines.lines.at(-1) as unknown as { error: Record<string, unknown> }).error,
    JSON.parse(events.events.at(-1)?.data ?? ""),
  ];
  assert.equal(events.events.at(-1)?.name, "error");
  for (const { code, sent, status } of outcomes)
    assert.deepEqual([code, sent, status], ["connection_lost", "yes", 502]);
});

test("a subscription begins on the socket: its first frame or failure may come at any time", async (t) => {
  const { product, upstream } = await start(t);
  const rare = { subscribe: true };
  const path = `${REQUEST}?timeout=200ms`;
  const all = [await Stream.open(product, path, LINES, t, rare), await Stream.open(product, path, EVENTS, t, rare)];
  const [lines, events] = all as [Stream, Stream];
  const late = await product.post(`${REQUEST}?timeout=400ms`, {}, { headers: LINES });
  assert.equal(late.status, 504, "their timeout is long over by then");
  await late.body?.cancel();
  assert.deepEqual([lines.ended, events.ended], [false, false]);
  assert.deepEqual([lines.text, events.text], ["", ""]);
  upstream.last.send({ id: (JSON.parse(upstream.texts[0] ?? "") as StreamRequest).id, n: 1 });
  await lines.until(() => lines.text === '{"n":1}\n');
  upstream.last.kill();
  for (const stream of all) await stream.until(() => stream.ended);
  const error = JSON.parse(events.dataEvents.at(-1)?.data ?? "") as Record<string, unknown>;
  // The pong of the ping that `late` triggered has proven it.
  assert.deepEqual([events.dataEvents.at(-1)?.name, error.code, error.sent], ["error", "connection_lost", "yes"]);
});

test("collected replies and unsent messages keep their timeout even if they subscribe", async (t) => {
  const { product, upstream } = await start(t);
  const whole = await product.post(`${REQUEST}?timeout=200ms`, { subscribe: true });
  assert.deepEqual([whole.status, whole.headers.get("sidesocket-code")], [504, "reply_timeout"]);
  await whole.body?.cancel();
  await upstream.stop();
  await until(async () => (await product.state()).phase === "waiting", { what: "the loss" });
  const unsent = await product.post(REQUEST, { subscribe: true }, { headers: EVENTS });
  await problem(unsent, { status: 503, code: "upstream_down", sent: "no" });
});

test("a GraphQL subscription is a stream before its first event; a refusal is its only result", async (t) => {
  const upstream = await startUpstream({
    t,
    subprotocol: (offered) => offered[0],
    onMessage: (message, connection) => {
      const { id, type, payload } = JSON.parse(String(message)) as { id: string; type: string; payload: object };
      if (type === "connection_init") connection.send({ type: "connection_ack" });
      if (JSON.stringify(payload)?.includes("wrong"))
        connection.send({ id, type: "error", payload: [{ message: "no" }] });
    },
  });
  const settings = { url: upstream.url, protocol: "graphql-transport-ws" };
  const product = await startProduct({ config: { upstreams: { default: settings } }, t });
  await product.ready();
  const subscribe = (field: string) =>
    Stream.open(product, "/graphql?timeout=200ms", EVENTS, t, { query: `subscription { ${field} }` });
  const rare = await subscribe("rare");
  const query = await product.post("/graphql?timeout=400ms", { query: "{ silent }" }, { headers: EVENTS });
  await problem(query, { status: 504, code: "reply_timeout", sent: "maybe" });
  const { id } = JSON.parse(upstream.texts[1] ?? "") as { id: string };
  upstream.last.send({ id, type: "next", payload: { data: { rare: 1 } } });
  await rare.until(() => rare.dataEvents.length === 1, { what: "the first event, after all" });
  assert.deepEqual([rare.dataEvents[0]?.name, rare.dataEvents[0]?.data], ["next", '{"data":{"rare":1}}']);
  const wrong = await subscribe("wrong");
  await wrong.until(() => wrong.ended);
  assert.deepEqual(
    wrong.events.map(({ name, data }) => [name, data]),
    [
      ["next", '{"errors":[{"message":"no"}]}'],
      ["complete", ""],
    ],
  );
  await rare.leave();
  await upstream.until(() => upstream.texts.some((text) => text === JSON.stringify({ id, type: "complete" })));
});

test("a caller that leaves, before or after the first frame, cancels the request at the upstream", async (t) => {
  const { product, upstream } = await start(t);
  const leaving = new AbortController();
  const silent = product.post(REQUEST, {}, { headers: LINES, signal: leaving.signal });
  await upstream.until(() => upstream.texts.length === 1);
  leaving.abort();
  await assert.rejects(silent);
  await upstream.until(() => cancels(upstream).length === 1, { what: "the first word" });
  const stream = await Stream.open(product, REQUEST, EVENTS, t, { flood: 1 });
  await stream.until(() => stream.events.length === 1);
  await stream.leave();
  await upstream.until(() => cancels(upstream).length === 2, { what: "the second word" });
  const rare = await Stream.open(product, REQUEST, EVENTS, t, { subscribe: true });
  await rare.leave();
  await upstream.until(() => cancels(upstream).length === 3, { what: "the third word, of the silent one" });
  await until(async () => (await product.state()).in_flight === 0, { what: "nothing in flight" });
});

test("an unread stream ends at its bound and is cancelled at the upstream; others go on", async (t) => {
  const { product, upstream } = await start(t, { reply_bytes: "100KiB" });
  const deaf = await product.post(REQUEST, { flood: 2_000 }, { headers: LINES });
  await upstream.until(() => cancels(upstream).length === 1, { within: 30_000, what: "the upstream to be notified" });
  const other = await Stream.open(product, REQUEST, LINES, t, { rows: 1 });
  await other.until(() => other.ended);
  assert.equal(other.lines.length, 2);
  const last = (await deaf.text()).trimEnd().split("\n").at(-1) ?? "";
  const { error } = JSON.parse(last) as { error: Record<string, string> };
  assert.deepEqual([error.code, error.sent], ["invalid_reply", "yes"]);
  assert.match(error.detail ?? "", /comes faster than it is read/);
});

test("the exit ends streams at once with an event, and those that have not begun with a problem", async (t) => {
  const { product, upstream } = await start(t);
  const lines = await Stream.open(product, REQUEST, LINES, t, { flood: 1 });
  const silent = product.post(REQUEST, {}, { headers: LINES });
  await upstream.until(() => upstream.texts.length === 2);
  const { code } = await product.stop();
  assert.equal(code, 0, product.stderr());
  await lines.until(() => lines.ended);
  const { error } = lines.lines.at(-1) as unknown as { error: Record<string, unknown> };
  assert.deepEqual([error.code, error.sent], ["cancelled", "yes"]);
  const answer = await silent;
  assert.deepEqual([answer.status, answer.headers.get("sidesocket-code")], [503, "cancelled"]);
  await answer.body?.cancel();
  assert.equal(cancels(upstream).length, 2, "the upstream was notified of both");
  const [drain, stop] = product.report().steps;
  assert.deepEqual([drain?.outcome, stop?.counts], ["done", { readers: 2 }]);
});

test("a stream that stalls ends with an error, by limits.reply_pause or the caller's idle, and is free again", async (t) => {
  const { product, upstream } = await start(t, { reply_pause: "1500ms" });
  for (const [query, bound] of [
    ["", "limits.reply_pause"],
    ["?idle=300ms", "idle"],
  ]) {
    const began = performance.now();
    const lines = await Stream.open(product, `${REQUEST}${query}`, LINES, t, { flood: 2 });
    await lines.until(() => lines.ended);
    assert.ok(performance.now() - began >= (query === "" ? 1_490 : 295));
    const { error } = JSON.parse(lines.text.trim().split("\n").at(-1) ?? "") as { error: Record<string, unknown> };
    assert.deepEqual([error.code, error.sent, error.status], ["reply_timeout", "yes", 504]);
    assert.match(String(error.detail), new RegExp(`2 frames came, and then none for \\d+ ms \\(${bound}\\)`));
  }
  await upstream.until(() => cancels(upstream).length === 2, { what: "the upstream to be notified of both" });
  await until(async () => (await product.state()).in_flight === 0, { what: "both places to be free" });
});

test("idle also bounds a stream that subscribes, from its beginning on", async (t) => {
  const { product, upstream } = await start(t);
  const events = await Stream.open(product, `${REQUEST}?idle=300ms`, EVENTS, t, { subscribe: true });
  await events.until(() => events.ended);
  const error = events.events.find(({ name }) => name === "error");
  const { code, sent } = JSON.parse(error?.data ?? "") as Record<string, unknown>;
  assert.deepEqual([code, sent], ["reply_timeout", "maybe"]);
  await upstream.until(() => cancels(upstream).length === 1, { what: "the upstream to be notified" });
});

test("an idle that is no time, longer than limits.reply_pause, or not for a stream is refused", async (t) => {
  const { product, upstream } = await start(t, { reply_pause: "2s" });
  for (const [idle, headers, detail] of [
    ["soon", LINES, /^idle must be a time/],
    ["3s", EVENTS, /^idle must not be longer than 2s/],
    ["1s", { accept: "application/json" }, /^idle is for streams/],
  ] as const) {
    const response = await product.post(`${REQUEST}?idle=${idle}`, { rows: 1 }, { headers });
    await problem(response, { status: 400, code: "invalid_request", sent: "no", detail });
  }
  assert.deepEqual(upstream.texts, []);
});

test("a reply of several frames that outlasts its request is fetched whole, after a 504 and after a 202", async (t) => {
  const upstream = await startUpstream({
    t,
    onMessage: (message, connection) => {
      const { id } = JSON.parse(String(message)) as StreamRequest;
      for (let n = 1; n <= 4; n++)
        connection.later(200 * n, () => connection.send({ id, n, ...(n === 4 && { end: true }) }));
    },
  });
  const path = await written(t, "rows.mjs", protocol);
  const product = await startProduct({ config: { upstreams: { default: { url: upstream.url, protocol: path } } }, t });
  await product.ready();
  for (const [headers, status] of [
    [{}, 504],
    [{ prefer: "respond-async" }, 202],
  ] as const) {
    const response = await product.post(`${REQUEST}?timeout=300ms`, {}, { headers });
    assert.equal(response.status, status);
    await response.body?.cancel();
    const fetched = await product.fetch(`${response.headers.get("location")}?wait=20`);
    assert.equal(fetched.status, 200);
    assert.deepEqual(await fetched.json(), [{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4, end: true }]);
  }
});

test("a gathered or late reply that stalls is a 504 without end: nothing is to be fetched any more", async (t) => {
  const { product } = await start(t, { reply_pause: "500ms" });
  const gathered = await product.request({ flood: 1 });
  assert.equal(gathered.headers.get("location"), null);
  await problem(gathered, { status: 504, code: "reply_timeout", sent: "yes", detail: /one frame came, and then none/ });
  const timedOut = await product.post(`${REQUEST}?timeout=200ms`, { flood: 1 });
  await timedOut.body?.cancel();
  const late = await product.fetch(`${timedOut.headers.get("location")}?wait=20`);
  await problem(late, { status: 504, code: "reply_timeout", sent: "yes", detail: /limits\.reply_pause/ });
});

test("every stream forbids its transformation, has a heartbeat, and no character that breaks a line of JSON", async (t) => {
  const { product, upstream } = await start(t);
  const rare = { subscribe: true };
  const all = [
    await Stream.open(product, MESSAGES, LINES, t),
    await Stream.open(product, MESSAGES, EVENTS, t),
    await Stream.open(product, REQUEST, LINES, t, rare),
    await Stream.open(product, REQUEST, EVENTS, t, rare),
  ];
  for (const { response } of all) assert.equal(response.headers.get("cache-control"), "no-store, no-transform");
  await all[1]?.until(() => all[1]?.text !== "", { what: "the first event" });
  const begun = all.map(({ text }) => text);
  // A heartbeat comes every 15 s.
  await Promise.all(all.map((stream, n) => stream.until(() => stream.text !== begun[n], { within: 20_000 })));
  const value = { text: "a\u0085b\u2028c\u2029d" };
  upstream.broadcast(value);
  for (const text of upstream.texts) {
    upstream.last.send({ id: (JSON.parse(text) as StreamRequest).id, ...value });
  }
  const [messages, , reply] = all as [Stream, Stream, Stream];
  await Promise.all(all.map((stream) => stream.until(() => stream.text.includes('d"}'))));
  assert.deepEqual([messages.lines.map(({ data }) => data), reply.lines as unknown], [[value], [value]]);
  for (const stream of all) assert.doesNotMatch(stream.text, /[\u0085\u2028\u2029]/);
});
