/** Messages: kept, and read as pages, lines and events. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RawConnection } from "../support/http.ts";
import { eventsIn, type Item, MESSAGES, page, Stream } from "../support/messages.ts";
import { type Config, type Product, startProduct } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { problem } from "./expect.ts";

const note = (n: number, more: object = {}) => ({ jsonrpc: "2.0", method: "note", params: { n, ...more } });
const SSE = { accept: "text/event-stream" };
const LINES = { accept: "application/x-ndjson" };

async function start(t: Cleanup, more: Config = {}): Promise<{ product: Product; upstream: Upstream }> {
  const upstream = await startUpstream({ t });
  const product = await startProduct({ config: { upstreams: { default: { url: upstream.url, ...more } } }, t });
  await product.ready();
  return { product, upstream };
}

/** Waits until this many messages have arrived. */
async function arrived(product: Product, count: number): Promise<void> {
  const messages = async () => ((await product.state()).counters as { messages: number }).messages;
  await until(async () => (await messages()) >= count, { what: () => `${count} messages` });
}

const kinds = (items: readonly Item[]) =>
  items.map(({ data, gap }) => (gap ? `${gap.reason} ${gap.dropped}` : (data as ReturnType<typeof note>).params.n));

test("pages start at the earliest message or a cursor, keep to the limit and repeat nothing", async (t) => {
  const { product, upstream } = await start(t);
  const empty = await page(product);
  assert.deepEqual(empty.messages, []);
  for (let n = 1; n <= 5; n++) upstream.broadcast(note(n));
  await arrived(product, 5);
  const first = await page(product, "?limit=2");
  assert.deepEqual(kinds(first.messages), [1, 2]);
  assert.equal(first.next, first.messages[1]?.cursor);
  const rest = await page(product, `?after=${first.next}`);
  assert.deepEqual(kinds(rest.messages), [3, 4, 5]);
  assert.deepEqual(kinds((await page(product, `?after=${empty.next}`)).messages), [1, 2, 3, 4, 5]);
  assert.deepEqual((await page(product, `?after=${rest.next}`)).messages, []);
  assert.deepEqual(await page(product, "?after=latest"), { messages: [], next: rest.next });
  assert.ok(Math.abs(Date.parse(first.messages[0]?.at ?? "") - Date.now()) < 60_000);
});

test("a long poll ends with the first message, or exactly when its time is over", async (t) => {
  const { product, upstream } = await start(t);
  const { next } = await page(product);
  const polls = Array.from({ length: 20 }, () => page(product, `?after=${next}&wait=20`));
  upstream.broadcast(note(1));
  const got = await Promise.all(polls);
  for (const { messages } of got) assert.deepEqual(kinds(messages), [1]);
  const began = performance.now();
  assert.deepEqual((await page(product, `?after=${got[0]?.next}&wait=700ms`)).messages, []);
  assert.ok(performance.now() - began >= 695);
});

test("text, binary and JSON frames are distinguished", async (t) => {
  const { product, upstream } = await start(t);
  upstream.broadcast('{"jsonrpc":"2.0",\n "method":"big", "params":[12345678901234567890]}');
  upstream.broadcast("not JSON\nat all");
  upstream.broadcast(new Uint8Array([0, 255, 1]));
  await arrived(product, 3);
  const response = await product.fetch(MESSAGES);
  const text = await response.text();
  assert.match(text, /12345678901234567890/, "a number keeps its digits");
  const { messages } = JSON.parse(text) as { messages: Item[] };
  assert.deepEqual(
    messages.map(({ data, encoding }) => [typeof data, encoding]),
    [
      ["object", undefined],
      ["string", undefined],
      ["string", "base64"],
    ],
  );
  assert.deepEqual([messages[1]?.data, messages[2]?.data], ["not JSON\nat all", "AP8B"]);
  const lines = await Stream.open(product, `${MESSAGES}?poll=1`, LINES, t);
  await lines.until(() => lines.ended);
  assert.deepEqual(lines.lines, messages);
  const events = await Stream.open(product, `${MESSAGES}?poll=1`, SSE, t);
  await events.until(() => events.ended);
  assert.deepEqual(
    events.dataEvents.map(({ name, id, data }) => [name, id, data]),
    [
      ["message", messages[0]?.cursor, '{"jsonrpc":"2.0",\n "method":"big", "params":[12345678901234567890]}'],
      ["message", messages[1]?.cursor, "not JSON\nat all"],
      ["binary", messages[2]?.cursor, "AP8B"],
      ["end", undefined, JSON.stringify({ next: messages[2]?.cursor, reason: "read" })],
    ],
  );
});

test("every form of filter by pointer and value selects messages", async (t) => {
  const { product, upstream } = await start(t);
  for (let n = 1; n <= 9; n++) upstream.broadcast(note(n, { kind: n % 3 === 0 ? "fizz" : "plain" }));
  await arrived(product, 9);
  assert.deepEqual(kinds((await page(product, "?where=/params/kind=fizz")).messages), [3, 6, 9]);
  assert.deepEqual(kinds((await page(product, "?where=/params/kind=fizz&where=/params/n=6")).messages), [6]);
  const none = await page(product, "?where=/params/kind=buzz");
  assert.deepEqual([none.messages, none.next], [[], (await page(product, "?after=latest")).next]);
  const stream = await Stream.open(product, `${MESSAGES}?where=/params/kind=fizz&after=${none.next}`, LINES, t);
  const waiting = page(product, `?where=/params/n=12&after=${none.next}&wait=20`);
  for (let n = 10; n <= 12; n++) upstream.broadcast(note(n, { kind: n === 12 ? "fizz" : "plain" }));
  await stream.until(() => stream.lines.length === 1);
  assert.deepEqual(kinds(stream.lines), [12]);
  assert.deepEqual(kinds((await waiting).messages), [12]);
});

test("a stream resumes from Last-Event-ID, even before a message, and ends with an event at the exit", async (t) => {
  const { product, upstream } = await start(t);
  const first = await Stream.open(product, `${MESSAGES}?after=latest`, SSE, t);
  assert.equal(first.response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  assert.equal(first.response.headers.get("x-accel-buffering"), "no");
  await first.until(() => first.events.length === 1, { what: "the starting cursor" });
  const begin = first.events[0]?.id ?? "";
  await first.leave();
  upstream.broadcast(note(1));
  upstream.broadcast(note(2));
  await arrived(product, 2);
  const again = await Stream.open(product, `${MESSAGES}?after=latest`, { ...SSE, "last-event-id": begin }, t);
  upstream.broadcast(note(3));
  await again.until(() => again.dataEvents.length === 3);
  assert.deepEqual(
    again.dataEvents.map(({ data }) => JSON.parse(data ?? "").params.n),
    [1, 2, 3],
  );
  const poll = page(product, "?after=latest&wait=60");
  const lines = await Stream.open(product, `${MESSAGES}?after=latest`, LINES, t);
  await until(async () => (await product.state()).readers === 3);
  const { code } = await product.stop();
  assert.equal(code, 0, product.stderr());
  await again.until(() => again.ended);
  const last = again.dataEvents.at(-1);
  assert.deepEqual(
    [last?.name, JSON.parse(last?.data ?? "")],
    ["end", { next: again.dataEvents[2]?.id, reason: "shutting_down" }],
  );
  assert.deepEqual((await poll).messages, []);
  await lines.until(() => lines.ended);
  assert.match(lines.text, /^\{"end":\{"next":"\w+-3","reason":"shutting_down"\}\}\n$/);
  const { counts } = product.report().steps.find(({ step }) => step === "stop") ?? {};
  assert.deepEqual(counts, { readers: 3 });
});

test("a client that cannot set Last-Event-ID resumes by lastEventId, which only events take", async (t) => {
  const { product, upstream } = await start(t);
  for (const n of [1, 2, 3]) upstream.broadcast(note(n));
  await arrived(product, 3);
  const [first, second] = (await page(product)).messages;
  const resumed = async (query: string, headers: Readonly<Record<string, string>>) => {
    const stream = await Stream.open(product, `${MESSAGES}?poll=1&${query}`, { ...SSE, ...headers }, t);
    await stream.until(() => stream.ended);
    return stream.dataEvents
      .filter(({ name }) => name === "message")
      .map(({ data }) => JSON.parse(data ?? "").params.n);
  };
  const query = `after=latest&lastEventId=${first?.cursor}`;
  assert.deepEqual(await resumed(query, {}), [2, 3]);
  assert.deepEqual(await resumed(`last_event_id=${first?.cursor}`, {}), [2, 3]);
  assert.deepEqual(await resumed(query, { "last-event-id": second?.cursor ?? "" }), [3]);
  assert.deepEqual(await resumed("after=earliest&lastEventId=", {}), [1, 2, 3]);
  const refused = { status: 400, code: "invalid_request", sent: "no", detail: /lastEventId is for events/ } as const;
  await problem(await product.fetch(`${MESSAGES}?${query}`), refused);
});

test("evicted messages are an exact gap: 410 for a page, in its place in a stream", async (t) => {
  const { product, upstream } = await start(t, { messages: { count: 10 } });
  upstream.broadcast(note(1));
  await arrived(product, 1);
  const { next } = await page(product);
  for (let n = 2; n <= 100; n++) upstream.broadcast(note(n));
  await arrived(product, 100);
  const gone = await product.fetch(`${MESSAGES}?after=${next}`);
  const facts = await problem(gone, { status: 410, code: "gone", sent: "no", detail: /89 messages/ });
  const { oldest, resume, dropped } = facts as unknown as { oldest: string; resume: string; dropped: number };
  assert.equal(dropped, 89);
  const rest = await page(product, `?after=${resume}`);
  assert.deepEqual([kinds(rest.messages)[0], rest.messages[0]?.cursor], [91, oldest]);
  assert.deepEqual(kinds((await page(product)).messages).slice(0, 2), ["overflow 90", 91]);
  const stream = await Stream.open(product, `${MESSAGES}?poll=1`, { ...SSE, "last-event-id": next }, t);
  await stream.until(() => stream.ended);
  const [gap, message] = stream.dataEvents;
  assert.deepEqual([gap?.name, JSON.parse(gap?.data ?? "").dropped], ["gap", 89]);
  assert.deepEqual([gap?.id, message?.id], [resume, oldest]);
  // A reader cut before the gap that resumes from its last event receives the whole gap.
  assert.equal(stream.events[0]?.id, next);
  const all = await Stream.open(product, `${MESSAGES}?poll=1`, SSE, t);
  await all.until(() => all.ended);
  const again = await product.fetch(`${MESSAGES}?after=${all.events[0]?.id}`);
  assert.equal(((await again.json()) as { dropped: number }).dropped, 90);
});

test("an outage and the death of the thread are gaps; a cursor of another process is gone", async (t) => {
  const { product, upstream } = await start(t, { reconnect: { from: "50ms", to: "100ms" } });
  upstream.broadcast(note(1));
  await arrived(product, 1);
  const stream = await Stream.open(product, MESSAGES, LINES, t);
  upstream.kill("reset");
  await upstream.until(() => upstream.connections.length === 2 && upstream.last.open);
  await product.ready();
  upstream.broadcast(note(2));
  await stream.until(() => stream.lines.length === 3);
  assert.deepEqual(kinds(stream.lines), [1, "away null", 2]);
  assert.match(stream.lines[1]?.gap?.why ?? "", /ended|reached|closed/);
  const foreign = await product.fetch(`${MESSAGES}?after=abc-1`);
  await problem(foreign, { status: 410, code: "gone", sent: "no", detail: /expired/ });
});

test("a filtered poll resumes from its `next`, however many messages it skipped", async (t) => {
  const { product, upstream } = await start(t, { messages: { count: 10 } });
  const where = "where=/params/kind=rare";
  let { next } = await page(product, `?${where}`);
  const polling = page(product, `?${where}&after=${next}&wait=2`);
  await until(async () => (await product.state()).readers === 1);
  for (let n = 1; n <= 100; n++) {
    upstream.broadcast(note(n));
    // One by one, as a feed sends them: all at once would exceed the journal.
    if (n % 5 === 0) await arrived(product, n);
  }
  const nothing = await polling;
  assert.deepEqual(nothing.messages, []);
  next = nothing.next;
  upstream.broadcast(note(101, { kind: "rare" }));
  await arrived(product, 101);
  assert.deepEqual(kinds((await page(product, `?${where}&after=${next}`)).messages), [101]);
});

test("invalid parameters are refused by name", async (t) => {
  const { product } = await start(t);
  const bad: readonly (readonly [string, RegExp])[] = [
    ["?after=yesterday", /^after must be a cursor/],
    ["?limit=0", /^limit must be/],
    ["?limit=1001", /^limit must be/],
    ["?limit=ten", /^limit must be/],
    ["?wait=soon", /^wait must be/],
    ["?wait=121", /^wait must not be longer/],
    ["?where=kind", /^where: .*JSON pointer/],
    ["?where=kind=1", /^where: .*JSON pointer/],
  ];
  for (const [query, detail] of bad) {
    await problem(await product.fetch(`${MESSAGES}${query}`), {
      status: 400,
      code: "invalid_request",
      sent: "no",
      detail,
    });
  }
  const { next } = await page(product);
  const ahead = next.replace(/-\d+$/, "-999");
  const refused = await product.fetch(`${MESSAGES}?after=${ahead}`);
  await problem(refused, { status: 400, code: "invalid_request", sent: "no", detail: /ahead/ });
  const head = await product.fetch(MESSAGES, { method: "HEAD", headers: SSE });
  assert.deepEqual([head.status, await head.text()], [200, ""]);
});

test("a reader that never reads holds nobody up", async (t) => {
  const { product, upstream } = await start(t, { messages: { count: 100_000, bytes: "4MiB" } });
  const jammed = await RawConnection.open(product, t);
  jammed.send({ path: MESSAGES, headers: { Accept: "text/event-stream" } });
  await jammed.until(() => jammed.received.includes("retry:"));
  jammed.pause();
  const reader = await Stream.open(product, MESSAGES, LINES, t);
  const text = "x".repeat(10_000);
  for (let n = 1; n <= 2_000; n++) {
    upstream.broadcast(note(n, { text }));
    if (n % 50 === 0) await reader.until(() => reader.lines.length >= n, { within: 20_000 });
  }
  assert.deepEqual(
    kinds(reader.lines),
    Array.from({ length: 2_000 }, (_, n) => n + 1),
  );
  const { code } = await product.stop();
  assert.equal(code, 0, product.stderr());
});

test("a reader that stops for a while has every message once it reads on", async (t) => {
  const { product, upstream } = await start(t, { messages: { count: 100_000, bytes: "64MiB" } });
  const slow = await RawConnection.open(product, t);
  slow.send({ path: MESSAGES, headers: LINES });
  await slow.until(() => slow.received.includes("\r\n\r\n"));
  slow.pause();
  const reader = await Stream.open(product, MESSAGES, LINES, t);
  const text = "x".repeat(15_000);
  // One by one, so that each is written by itself: more than the system takes for a reader that does not read.
  for (let n = 1; n <= 500; n++) {
    upstream.broadcast(note(n, { text }));
    await reader.until(() => reader.lines.length >= n);
  }
  slow.resume();
  const whole = () => slow.received.replace(/\r\n[\da-f]+\r\n/g, "").match(/x{15000}/g)?.length;
  await slow.until(() => slow.received.length > 500 * text.length && whole() === 500);
});

test("a stream that ends leaves its connection to the next request", async (t) => {
  const { product, upstream } = await start(t);
  upstream.broadcast(note(1, { fill: "ü".repeat(5_000) }));
  await arrived(product, 1);
  const connection = await RawConnection.open(product, t);
  // More than the listeners of one event that Node takes without a warning.
  for (const headers of Array.from({ length: 7 }, () => [SSE, LINES]).flat()) {
    connection.send({ path: `${MESSAGES}?poll=1`, headers });
    const { status, headers: answered, body } = await connection.response();
    assert.deepEqual([status, answered.get("transfer-encoding")], [200, "chunked"]);
    assert.ok(body.includes("ü".repeat(5_000)));
  }
  connection.send({ path: "/livez" });
  assert.equal((await connection.response()).status, 200);
  assert.doesNotMatch(product.stderr(), /MaxListeners/);
});

test("an EventSource that is refused for now gets a stream that ends, so that it comes again", async (t) => {
  const { product, upstream } = await start(t, { messages: { readers: 1 } });
  const reader = await Stream.open(product, MESSAGES, LINES, t);
  await until(async () => (await product.state()).readers === 1);
  const refusedWith = async (code: string, reason: object) => {
    const response = await product.fetch(`${MESSAGES}?after=latest`, { headers: SSE });
    assert.deepEqual(
      [response.status, response.headers.get("content-type"), response.headers.get("cache-control")],
      [200, "text/event-stream; charset=utf-8", "no-store, no-transform"],
    );
    assert.deepEqual([response.headers.get("sidesocket-code"), response.headers.get("sidesocket-sent")], [code, "no"]);
    const [retry, end] = eventsIn(await response.text());
    assert.deepEqual([retry?.data, end?.name, end?.id], [undefined, "end", undefined]);
    assert.deepEqual(JSON.parse(end?.data ?? ""), { next: "latest", ...reason });
    for (const headers of [LINES, { accept: "application/json" }]) {
      assert.ok([429, 503].includes((await product.fetch(MESSAGES, { headers })).status));
    }
  };
  const detail = "messages.readers (1) is reached: close a reader, or raise the limit";
  await refusedWith("too_many_in_flight", { reason: "too_many_in_flight", detail });
  const wrong = await product.fetch(`${MESSAGES}?after=never`, { headers: SSE });
  await problem(wrong, { status: 400, code: "invalid_request", sent: "no" });
  await reader.leave();
  const pending = product.request({ jsonrpc: "2.0", id: 1, method: "sleep", params: [3_000] });
  await upstream.until(() => upstream.messages.length === 1);
  product.child.signal("SIGTERM");
  await until(async () => (await product.fetch("/readyz")).status === 503);
  const stopping = { reason: "shutting_down", detail: "the service is shutting down" };
  await refusedWith("shutting_down", stopping);
  await (await pending).body?.cancel();
  assert.equal((await product.ended()).code, 0);
});

test("an answer that waits for its message goes out once a reader acknowledges that", async (t) => {
  const when = { has: ["/params/ask"] };
  const answers = [{ when, send: { ack: null }, copy: { "/ack": "/params/n" }, after: "delivered", within: "60s" }];
  const { product, upstream } = await start(t, { protocol: { preset: "json", answers } });
  const acknowledge = (through: string) =>
    product.fetch(`${MESSAGES}/acknowledge?through=${encodeURIComponent(through)}`, { method: "POST" });
  for (let n = 1; n <= 3; n++) upstream.broadcast(note(n, { ask: true }));
  upstream.broadcast(note(4));
  await arrived(product, 4);
  const { messages, next } = await page(product);
  assert.deepEqual(upstream.texts, [], "to read acknowledges nothing");
  const first = await acknowledge(messages[1]?.cursor ?? "");
  assert.deepEqual([first.status, await first.json()], [200, { answered: 2 }]);
  await upstream.until(() => upstream.texts.length === 2);
  assert.deepEqual(upstream.texts, ['{"ack":1}', '{"ack":2}']);
  assert.deepEqual(await (await acknowledge(next)).json(), { answered: 1 });
  assert.deepEqual(await (await acknowledge(next)).json(), { answered: 0 }, "each answer goes out once");
  await upstream.until(() => upstream.texts.length === 3);
  const ahead = next.replace(/\d+$/, (seq) => String(Number(seq) + 1_000));
  await problem(await acknowledge(ahead), { status: 400, code: "invalid_request", sent: "no" });
  await problem(await acknowledge("other-1"), { status: 410, code: "gone", sent: "no" });
  await problem(await acknowledge("nothing"), { status: 400, code: "invalid_request", sent: "no" });
  const unknown = `/v1/upstreams/default/subscriptions/none/messages/acknowledge?through=${next}`;
  await problem(await product.fetch(unknown, { method: "POST" }), { status: 404, code: "not_found", sent: "no" });
});
