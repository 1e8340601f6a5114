/**
 * Instances that come and go: `INSTANCES=6000 npm test -- soak/instances` is the long form, a hundred each second for a
 * minute, and the only one that proves something about memory.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { problem } from "../contract/expect.ts";
import { descriptors, residentBytes, threads } from "../support/proc.ts";
import { type Product, startProduct } from "../support/product.ts";
import { delay, until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";

const COUNT = Number(process.env.INSTANCES ?? 120);
const PER_SECOND = 100;
/** Callers at a time, each of which opens, asks and deletes. */
const CALLERS = 8;
const JUDGED = 5_000;
/** The heaps of both threads reach the size between which they swing within a thousand. */
const WARM_UP = COUNT >= JUDGED ? 1_000 : 60;
/** Growth of the resident memory per instance that is more than garbage, in bytes; judged in the long form. */
const LEFT_MAX = 8_192;
/** The default of `shutdown.drain`. */
const DRAIN_MS = 3_000;
/** Instances that are open at once, to see the memory that each takes. */
const OPEN = COUNT >= JUDGED ? 1_000 : 50;
/** More than the default, which a thousand may need where others use the machine, too. */
const CLOSE_S = 20;

const ROUTE = "/v1/upstreams/rooms/instances";
const orderOf = (n: number) => ({ params: { room: `room-${n}` } });

/** Opens an instance, and has a reply by it. @returns its path */
async function open(product: Product, n: number): Promise<string> {
  const opened = await product.post(ROUTE, orderOf(n));
  assert.equal(opened.status, 201, await opened.clone().text());
  const { path } = (await opened.json()) as { path: string };
  const reply = await product.post(`${path}/request`, { jsonrpc: "2.0", id: n, method: "echo", params: [n] });
  assert.deepEqual(await reply.json(), { jsonrpc: "2.0", id: n, result: [n] });
  return path;
}

async function end(product: Product, path: string): Promise<void> {
  const deleted = await product.fetch(path, { method: "DELETE" });
  assert.equal(deleted.status, 204, await deleted.text());
}

async function cycle(product: Product, n: number): Promise<void> {
  await end(product, await open(product, n));
}

/** Runs this many cycles, none before its time. */
async function storm(product: Product, count: number): Promise<void> {
  const began = performance.now();
  let next = 0;
  const call = async () => {
    while (next < count) {
      const n = next++;
      await delay(Math.max(0, began + (n * 1_000) / PER_SECOND - performance.now()));
      await cycle(product, n);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, call));
}

test("instances that come and go leave no descriptor, thread, socket or memory", async (t) => {
  await using upstream = await startUpstream();
  await using product = await startProduct({
    config: {
      shutdown: { close: `${CLOSE_S}s` },
      upstreams: {
        rooms: { url: `${upstream.url}\${param:room}`, params: { room: "[a-z0-9-]{1,40}" }, instances: { max: OPEN } },
      },
    },
  });
  await product.ready();
  await storm(product, WARM_UP);
  // As many connections of ours as the storm may have, which a paced beginning does not open.
  await Promise.all(Array.from({ length: CALLERS }, async () => (await product.fetch("/livez")).text()));
  const before = {
    descriptors: descriptors(product.pid),
    threads: threads(product.pid),
    bytes: residentBytes(product.pid),
  };
  const began = performance.now();
  await storm(product, COUNT);
  const seconds = (performance.now() - began) / 1_000;
  await until(() => upstream.live.length === 0, { within: 5_000, what: "all sockets to close" });
  await until(() => descriptors(product.pid) <= before.descriptors + 2, {
    within: 5_000,
    every: 50,
    what: () => `${descriptors(product.pid)} descriptors to be ${before.descriptors}`,
  });
  assert.ok(threads(product.pid) <= before.threads, `${threads(product.pid)} threads, before ${before.threads}`);
  assert.equal((await product.state("rooms")).instances, 0);
  const left = (residentBytes(product.pid) - before.bytes) / COUNT;
  const rate = `${COUNT} instances in ${seconds.toFixed(1)} s, ${Math.round(COUNT / seconds)} each second`;
  t.diagnostic(`${rate}; ${Math.round(left)} bytes are left for each`);
  if (COUNT >= JUDGED) assert.ok(left <= LEFT_MAX, `${left} bytes are left for each instance`);

  const each: string[] = [];
  for (let n = 0; n < OPEN; n++) each.push(await open(product, n));
  const full = await product.post(ROUTE, orderOf(OPEN));
  await problem(full, { status: 429, code: "too_many_in_flight", sent: "no", detail: /instances\.max/ });
  const taken = (residentBytes(product.pid) - before.bytes) / OPEN;
  t.diagnostic(`${OPEN} open instances take ${Math.round(taken / 1_024)} KiB each`);

  const [path = ""] = each;
  const pending = product.post(`${path}/request`, { jsonrpc: "2.0", id: 1, method: "silent" });
  await upstream.until(() => upstream.texts.some((text) => text.includes("silent")));
  const asked = performance.now();
  await end(product, path);
  assert.ok(performance.now() - asked < DRAIN_MS - 1_000, "a deleted instance does not wait for its replies");
  await problem(await pending, { status: 503, code: "cancelled", sent: "maybe" });
  const stopped = performance.now();
  const { code } = await product.stop("SIGTERM");
  t.diagnostic(`the exit took ${Math.round(performance.now() - stopped)} ms`);
  assert.equal(code, 0);
  assert.equal(upstream.live.length, 0);
});
