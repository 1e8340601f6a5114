/** The messages of a shared upstream: the same at every replica, whichever of them had the connection. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { lacksNats } from "../support/jetstream.ts";
import { type Item, MESSAGES, page, Stream } from "../support/messages.ts";
import type { Product } from "../support/product.ts";
import { delay, until } from "../support/until.ts";
import { Scene } from "./scene.ts";

/** The short form is for every run; `FLOOD=100000` is the long one. */
const FLOOD = Number(process.env.FLOOD ?? 10_000);
const NDJSON = { accept: "application/x-ndjson" };

test("every replica has the same messages under the same cursors", { skip: lacksNats }, async (t) => {
  const told = { request: { jsonrpc: "2.0", method: "echo", params: ["id"] }, match: { "/params/0": "subscribed" } };
  const scene = await Scene.start({ t, settings: { subscriptions: { told } } });
  const { upstream, replicas } = scene;
  const owner = await scene.owner();
  const [one, other] = replicas.filter((_, index) => index !== owner);
  assert.ok(one && other);
  const lines = await Stream.open(one, `${MESSAGES}?after=latest`, NDJSON, t);
  const events = await Stream.open(other, `${MESSAGES}?after=latest`, { accept: "text/event-stream" }, t);
  const poll = page(one, "?after=latest&wait=5s");
  const filtered = page(other, `?after=earliest&wait=5s&where=${encodeURIComponent("/params/0=2")}`);
  await delay(100);

  for (const number of [1, 2, 3]) upstream.say(number);
  await lines.until(() => lines.lines.length === 3, { what: "lines of a replica that owns nothing" });
  await events.until(() => events.dataEvents.length === 3, { what: "events of another" });
  assert.deepEqual(numbersOf((await filtered).messages), [2]);
  assert.equal((await poll).messages[0]?.cursor, lines.lines[0]?.cursor);
  const pages = await Promise.all(replicas.map((each) => page(each, "?after=earliest")));
  assert.deepEqual(numbersOf(pages[0]?.messages ?? []), [1, 2, 3]);
  assert.deepEqual(pages[1], pages[0]);
  assert.deepEqual(pages[2], pages[0]);

  await t.test("a cursor is good at another replica as soon as it was given out", async () => {
    for (let number = 4; number < 40; number++) {
      const [from, to] = [replicas[number % 3], replicas[(number + 1) % 3]];
      assert.ok(from && to);
      const waiting = page(from, `?after=latest&wait=5s`);
      await delay(number === 4 ? 100 : 15);
      upstream.say(number);
      const { next } = await waiting;
      assert.deepEqual((await page(to, `?after=${next}`)).messages, []);
    }
  });

  await t.test("so are those of a subscription of the configuration", async () => {
    const path = "/v1/upstreams/default/subscriptions/told/messages";
    await until(async () => (await replicas[owner]?.fetch(path))?.ok, { what: "the subscription" });
    upstream.say("subscribed", 1);
    const [here, there] = await Promise.all([one, other].map((each) => page(each, "?after=earliest&wait=5s", path)));
    assert.equal(here?.messages.length, 1);
    assert.deepEqual(here, there);
  });

  await t.test("a request of the upstream's own is replied to at the owner, which the others say", async () => {
    const owning = replicas[owner] as Product;
    const { next } = await page(owning, "?after=latest");
    upstream.ask("q");
    const [here, there] = await Promise.all([owning, one].map((each) => page(each, `?after=${next}&wait=5s`)));
    assert.deepEqual([here?.messages[0]?.reply, there?.messages[0]?.reply], ["wanted", undefined]);
    const path = `${MESSAGES}/${here?.messages[0]?.cursor}/reply`;
    const refused = await one.post(path, { result: "no" });
    assert.equal(refused.status, 503);
    assert.match(await refused.text(), /another replica of the cluster owns/);
    assert.equal((await owning.post(path, { result: "yes" })).status, 204);
    await until(() => upstream.answers.length > 0, { what: "the reply" });
    assert.deepEqual(upstream.answers, [{ id: "q", answer: "yes" }]);
  });

  await t.test("a replica that starts later has them all", async () => {
    const late = await scene.startReplica();
    assert.deepEqual(await page(late, "?after=earliest"), await page(one, "?after=earliest"));
    await late.stop();
  });
});

test("a reader goes on at another replica after the owner was killed", { skip: lacksNats }, async (t) => {
  const scene = await Scene.start({ t });
  const { upstream } = scene;
  const owner = await scene.owner();
  const [reader, other] = scene.replicas.filter((_, index) => index !== owner);
  assert.ok(reader && other);
  let last = 0;
  const talk = setInterval(() => upstream.say(++last), 2);
  t.after(() => clearInterval(talk));
  const { next } = await page(scene.replicas[owner] as Product, "?after=latest&wait=5s");
  const lines = await Stream.open(reader, `${MESSAGES}?after=${next}`, NDJSON, t);
  await lines.until(() => lines.lines.length > 100, { what: "the owner's messages" });
  await scene.kill(owner);
  const before = upstream.connections.length;
  await until(() => upstream.connections.length > before && upstream.open > 0, { what: "the next connection" });
  const from = last;
  await lines.until(() => (numberOf(lines.lines.at(-1)) ?? 0) > from + 100, { what: "the messages of the next owner" });
  clearInterval(talk);
  await until(async () => numberOf((await page(other, "?after=earliest&limit=1000")).messages.at(-1)) !== undefined);

  assertComplete(lines.lines, { gaps: 1 });
  const [gap] = lines.lines.filter((item) => item.gap);
  assert.equal(gap?.gap?.reason, "away");
  await scene.replace(owner);
  const end = lines.lines.at(-1)?.cursor;
  const [a, b, c] = await Promise.all(scene.replicas.map((each) => allOf(each, end)));
  assert.deepEqual(a, b);
  assert.deepEqual(c, b);
});

test(`a flood of ${FLOOD} messages is the same at every replica`, { skip: lacksNats }, async (t) => {
  const messages = { count: 2 * FLOOD, bytes: "256MiB" };
  const scene = await Scene.start({ t, lease: "5s", settings: { messages } });
  const began = performance.now();
  for (let number = 1; number <= FLOOD; number++) scene.upstream.say(number);
  const lines = await Promise.all(
    scene.replicas.map((each) => Stream.open(each, `${MESSAGES}?after=earliest`, NDJSON, t)),
  );
  const all = await Promise.all(
    lines.map(async (each) => {
      await each.until(() => each.lines.length >= FLOOD, { within: 60_000, what: "all messages" });
      return each.lines;
    }),
  );
  t.diagnostic(`read at all replicas after ${Math.round(performance.now() - began)} ms`);
  for (const each of all) {
    assert.deepEqual(each.length, FLOOD);
    assertComplete(each, { gaps: 0 });
    assert.equal(each.at(-1)?.cursor, all[0]?.at(-1)?.cursor);
  }
  const metrics = await (await scene.replicas[0]?.fetch("/metrics"))?.text();
  assert.match(metrics ?? "", /^sidesocket_cluster_log_holes_total\{upstream="default"\} 0$/m);
  assert.match(metrics ?? "", /^sidesocket_cluster_log_lag\{upstream="default"\} 0$/m);

  await t.test("what comes while the message server is away follows without a gap", async () => {
    let last = FLOOD;
    const talk = setInterval(() => scene.upstream.say(++last), 5);
    t.after(() => clearInterval(talk));
    await scene.nats.kill();
    await delay(1_500);
    await scene.nats.start();
    const from = last;
    for (const each of lines) {
      const isBehind = () => (numberOf(each.lines.at(-1)) ?? 0) > from + 50;
      await each.until(isBehind, { what: "what came meanwhile" });
      assertComplete(each.lines, { gaps: 0 });
    }
    assert.equal(scene.upstream.connections.length, 1);
  });
});

test("cursors of a log that is no more are expired, at every replica", { skip: lacksNats }, async (t) => {
  const scene = await Scene.start({ t, on: [undefined, undefined] });
  await scene.owner();
  scene.upstream.say(1);
  const { next } = await page(scene.replicas[0] as Product, "?after=earliest&wait=5s");
  await Promise.all(scene.replicas.map((each) => each.kill()));
  await scene.nats.lose();
  await scene.nats.start();
  await Promise.all([scene.replace(0), scene.replace(1)]);
  await scene.owner();
  scene.upstream.say(2);
  for (const replica of scene.replicas) {
    const read = async () => {
      const response = await replica.fetch(`${MESSAGES}?after=${next}&wait=5s`);
      return { status: response.status, text: await response.text() };
    };
    const { status, text } = await read();
    assert.equal(status, 410, text);
    assert.match(text, /"reason":"expired"/);
    await until(async () => numbersOf((await page(replica, "?after=earliest")).messages).join() === "2");
  }
});

function numberOf(item: Item | undefined): number | undefined {
  return (item?.data as { params: [number] } | undefined)?.params[0];
}

function numbersOf(items: readonly Item[]): readonly (number | undefined)[] {
  return items.filter(({ gap }) => !gap).map(numberOf);
}

/** In order, nothing twice, and nothing missing but in gaps. */
function assertComplete(items: readonly Item[], { gaps }: { readonly gaps: number }): void {
  let last: number | undefined;
  let isGap = false;
  for (const item of items) {
    const number = numberOf(item);
    if (number === undefined) isGap = true;
    else {
      if (last !== undefined && !isGap) assert.equal(number, last + 1, item.cursor);
      assert.ok(last === undefined || number > last, `${number} after ${last}`);
      last = number;
      isGap = false;
    }
  }
  assert.equal(items.filter(({ gap }) => gap).length, gaps, JSON.stringify(items.filter(({ gap }) => gap)));
}

/** All entries of a replica up to a cursor. */
async function allOf(replica: Product, end: string | undefined): Promise<readonly Item[]> {
  const all: Item[] = [];
  for (let after = "earliest"; ; ) {
    const { messages, next } = await page(replica, `?after=${after}&limit=1000&wait=5s`);
    all.push(...messages);
    const last = all.findIndex(({ cursor }) => cursor === end);
    if (last >= 0) return all.slice(0, last + 1);
    assert.ok(messages.length > 0, `${end} is missing`);
    after = next;
  }
}
