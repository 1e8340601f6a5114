/** Fault rows 34, 35 and 45 on messages: nobody reads them, somebody never does, everybody does. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { test } from "node:test";
import { RawConnection } from "../support/http.ts";
import { MESSAGES, page, Stream } from "../support/messages.ts";
import { residentBytes } from "../support/proc.ts";
import { type Product, startProduct } from "../support/product.ts";
import { type Cleanup, delay, until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { encodeFrame, OPCODE } from "./frames.ts";

const MB = 1024 * 1024;
/** A million in the long form: `UNREAD=1000000`. */
const UNREAD = Number(process.env.UNREAD ?? 60_000);
const FLOOD = Number(process.env.FLOOD ?? 20_000);
const READERS = Number(process.env.READERS ?? 100);

const SSE = { accept: "text/event-stream" };
const LINES = { accept: "application/x-ndjson" };

async function start(t: Cleanup, messages: object): Promise<{ product: Product; upstream: Upstream }> {
  const upstream = await startUpstream({ t });
  const product = await startProduct({ config: { upstreams: { default: { url: upstream.url, messages } } }, t });
  await product.ready();
  return { product, upstream };
}

async function counted(product: Product): Promise<number> {
  // Null if a thread busy with the flood does not respond in time.
  return ((await product.state()).counters as { messages: number } | null)?.messages ?? 0;
}

/** Sends `count` messages as fast as they are taken. */
async function flood(upstream: Upstream, count: number, text: string): Promise<void> {
  const { socket } = upstream.last;
  for (let n = 1; n <= count; n++) {
    socket.send(`{"jsonrpc":"2.0","method":"flood","params":[${n},"${text}"]}`);
    if (n % 500 === 0) await until(() => socket.bufferedAmount < MB, { what: "the flood to be taken" });
  }
}

test(`row 34: ${UNREAD} unread messages cost no more than their bound, and the gap is exact`, async (t) => {
  const bound = 16 * MB;
  const { product, upstream } = await start(t, { count: 1_000_000, bytes: "16MiB" });
  let requests = 0;
  const makeRequest = async (): Promise<void> => {
    const reply = await product.request({ jsonrpc: "2.0", id: ++requests, method: "echo", params: [requests] });
    assert.deepEqual(await reply.json(), { jsonrpc: "2.0", id: requests, result: [requests] });
    await counted(product);
  };
  // Warm-up, so that the runtime's cost of first requests is not measured.
  while (requests < 200) await makeRequest();
  const before = residentBytes(product.pid);
  const { next } = await page(product);
  let worst = 0;
  const flooding = flood(upstream, UNREAD, "x".repeat(950));
  while ((await counted(product)) < UNREAD) {
    worst = Math.max(worst, residentBytes(product.pid));
    await makeRequest();
  }
  await flooding;
  t.diagnostic(`${Math.round((worst - before) / MB)} MB more`);
  assert.ok(worst - before <= bound + 64 * MB, `${Math.round((worst - before) / MB)} MB more`);
  const { kept } = (await product.state()) as { kept: { messages: number; bytes: number } };
  assert.ok(kept.bytes <= bound && kept.messages < UNREAD, "the bound was reached");
  const dropped = UNREAD - kept.messages;
  const [gap, oldest] = (await page(product, "?limit=2")).messages;
  assert.equal(gap?.gap?.dropped, dropped);
  assert.equal((oldest as unknown as { data: { params: number[] } }).data.params[0], dropped + 1);
  const gone = await product.fetch(`${MESSAGES}?after=${next}`);
  assert.deepEqual([gone.status, ((await gone.json()) as { dropped: number }).dropped], [410, dropped]);
});

test("row 34: a flooded thread has time for other requests", async (t) => {
  const { product, upstream } = await start(t, {});
  const payload = '{"jsonrpc":"2.0","method":"note","params":[1]}';
  const frames = Buffer.concat(Array.from({ length: 2_000 }, () => encodeFrame({ opcode: OPCODE.text, payload })));
  let flooding = true;
  const saying = upstream.last.flood(frames, () => flooding);
  const answered = { yes: 0, no: 0 };
  const end = performance.now() + 3_000;
  while (performance.now() < end) answered[(await product.state()).counters === null ? "no" : "yes"]++;
  flooding = false;
  await saying;
  t.diagnostic(JSON.stringify(answered));
  assert.ok(answered.yes > answered.no, JSON.stringify(answered));
});

test(`row 34: while ${FLOOD} messages arrive, every request is answered, and soon`, async (t) => {
  const { product, upstream } = await start(t, {});
  const times: number[] = [];
  let flooding = true;
  const runClient = async (client: number): Promise<void> => {
    for (let n = 0; flooding; n++) {
      const began = performance.now();
      const reply = await product.request({ jsonrpc: "2.0", id: n, method: "echo", params: [client, n] });
      assert.deepEqual(await reply.json(), { jsonrpc: "2.0", id: n, result: [client, n] });
      times.push(performance.now() - began);
    }
  };
  const clients = Array.from({ length: 8 }, (_, client) => runClient(client));
  // Many a second, but fewer than there is room for: a reply would queue behind all that the sockets hold.
  for (let n = 0; n < FLOOD; n += 50) {
    await flood(upstream, 50, "x".repeat(200));
    await delay(5);
  }
  flooding = false;
  await Promise.all(clients);
  await until(async () => (await counted(product)) === FLOOD, { within: 20_000 });
  const slowest = Math.max(...times);
  t.diagnostic(`${times.length} requests, the slowest took ${Math.round(slowest)} ms`);
  assert.ok(times.length >= 50, `${times.length} requests`);
  // The flood and the requests run in this one process: the benchmark measures the real cost of a request.
  assert.ok(slowest < 3_000, `${slowest} ms`);
});

test("row 35: readers that never read get their bound and no more, and harm nobody", async (t) => {
  const { product, upstream } = await start(t, { count: 2_000, bytes: "4MiB" });
  const jammed = await Promise.all(Array.from({ length: 20 }, () => RawConnection.open(product, t)));
  for (const connection of jammed) {
    connection.send({ path: MESSAGES, headers: { Accept: "text/event-stream" } });
    await connection.until(() => connection.received.includes("retry:"));
    connection.pause();
  }
  const reader = await Stream.open(product, MESSAGES, LINES, t);
  const before = residentBytes(product.pid);
  const rounds = 40;
  for (let round = 1; round <= rounds; round++) {
    await flood(upstream, 500, "x".repeat(1_000));
    await reader.until(() => reader.lines.length >= round * 500, { within: 20_000 });
  }
  const grown = residentBytes(product.pid) - before;
  t.diagnostic(`${Math.round(grown / MB)} MB more`);
  // 20 MB went past each of them. One keeps a page and what the two sockets take.
  assert.ok(grown <= 20 * 4 * MB + 64 * MB, `${Math.round(grown / MB)} MB more`);
  assert.ok(reader.lines.every(({ gap }) => gap === undefined));
  const [first] = jammed;
  first?.resume();
  await first?.until(() => first.received.includes("event: gap"), { within: 20_000, what: "the gap" });
  const { code } = await product.stop();
  assert.equal(code, 0, product.stderr());
});

test(`row 45: a stop responds to ${READERS} long polls and ends ${READERS} streams properly`, async (t) => {
  const { product } = await start(t, {});
  const { next } = await page(product);
  const polls = Array.from({ length: READERS }, () => page(product, `?after=${next}&wait=60`));
  const streams = await Promise.all(
    Array.from({ length: READERS }, (_, n) => Stream.open(product, MESSAGES, n % 2 ? SSE : LINES, t)),
  );
  await until(async () => (await product.state()).readers === 2 * READERS, { within: 20_000 });
  const { code } = await product.stop();
  assert.equal(code, 0, product.stderr());
  for (const { messages } of await Promise.all(polls)) assert.deepEqual(messages, []);
  for (const stream of streams) {
    await stream.until(() => stream.ended);
    assert.match(stream.text, /shutting_down/);
  }
  const { counts } = product.report().steps.find(({ step }) => step === "stop") ?? {};
  assert.equal(counts?.readers, 2 * READERS);
});

test("every reader gets every message in order, and a returning reader resumes where it was", async (t) => {
  const { product, upstream } = await start(t, {});
  const total = 2_000;
  const streams = await Promise.all(
    Array.from({ length: READERS / 2 }, () => Stream.open(product, MESSAGES, LINES, t)),
  );
  const poll = async (): Promise<number[]> => {
    const seen: number[] = [];
    let next = "earliest";
    while (seen.length < total) {
      const got = await page(product, `?after=${next}&wait=20&limit=50`);
      seen.push(...got.messages.map(({ data }) => (data as { params: number[] }).params[0] ?? -1));
      next = got.next;
    }
    return seen;
  };
  const polls = Array.from({ length: READERS / 10 }, poll);
  const resuming = (async () => {
    const seen: number[] = [];
    let id: string | undefined;
    while (seen.length < total) {
      const stream = await Stream.open(product, MESSAGES, { ...SSE, ...(id && { "last-event-id": id }) }, t);
      await stream.until(() => stream.dataEvents.length >= Math.min(40, total - seen.length));
      await stream.leave();
      const messages = stream.dataEvents.filter(({ name }) => name === "message");
      seen.push(...messages.map(({ data }) => JSON.parse(data ?? "").params[0]));
      id = messages.at(-1)?.id ?? id;
    }
    return seen;
  })();
  await flood(upstream, total, "x");
  const expected = Array.from({ length: total }, (_, n) => n + 1);
  for (const stream of streams) {
    await stream.until(() => stream.lines.length === total, { within: 20_000 });
    assert.deepEqual(
      stream.lines.map(({ data }) => (data as { params: number[] }).params[0]),
      expected,
    );
  }
  for (const seen of await Promise.all(polls)) assert.deepEqual(seen, expected);
  assert.deepEqual(await resuming, expected);
});
