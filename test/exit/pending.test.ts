/** Stops with a thousand requests pending: each gets exactly one response, and its `sent` is true. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Peer } from "../faults/peer.ts";
import { replyTo, requestOf } from "../faults/replies.ts";
import { type FaultUpstream, startFaultUpstream } from "../faults/upstream.ts";
import { type Config, type Product, startProduct } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { ALL_DONE, type Cause, outcomes, stepOf, stopBy } from "./stopping.ts";

const PENDING = 1_000;
/** Enough for the same stop by another cause. */
const FEWER = 200;
/** A thousand responses to one client take a busy machine a second; a client that reads must not be cut for it. */
const PATIENT: Config = { flush: "5s" };
/** Held requests wait at most 5 s for the upstream: these must arrive within it. */
const HELD = 300;

interface Answered {
  readonly n: number;
  readonly status: number;
  /** `ok`, or the failure's code and its `sent`. */
  readonly how: string;
  readonly result: unknown;
}

/** Sends request number `n`, which carries the number in its params. */
async function makeRequest(product: Product, n: number, padding = ""): Promise<Answered> {
  const response = await product.request({ jsonrpc: "2.0", id: 1, method: "number", params: [n, padding] });
  const { result } = (await response.json()) as { readonly result?: unknown };
  const { headers, status } = response;
  const how = status === 200 ? "ok" : `${headers.get("sidesocket-code")} ${headers.get("sidesocket-sent")}`;
  return { n, status, how, result };
}

/** The numbers of the requests that the upstream really received. */
const received = (upstream: FaultUpstream): ReadonlySet<number> =>
  new Set(upstream.last.messages.map((message) => (message as { params: [number] }).params[0]));

async function inFlight(product: Product, count: number): Promise<void> {
  await until(async () => (await product.state()).in_flight === count, {
    what: `${count} requests in flight`,
    every: 50,
  });
}

async function start(t: Cleanup, upstream: FaultUpstream, config: Config, more: Config = {}): Promise<Product> {
  const product = await startProduct({
    config: { shutdown: { ...PATIENT, ...config }, upstreams: { default: { url: upstream.url, ...more } } },
    t,
  });
  await product.ready();
  return product;
}

const tally = (answers: readonly Answered[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { how } of answers) counts[how] = (counts[how] ?? 0) + 1;
  return counts;
};

for (const [cause, count] of [
  ["SIGTERM", PENDING],
  ["/shutdown", FEWER],
] as const satisfies [Cause, number][]) {
  test(`ready with ${count} pending: ${cause} lets replies in and cancels each other request once`, async (t) => {
    const held: (() => void)[] = [];
    const upstream = await startFaultUpstream(
      {
        onMessage: (peer, frame) => {
          const request = requestOf(frame);
          const [n] = (request?.params ?? [0]) as [number];
          if (n % 4 === 0) held.push(() => peer.json(replyTo(request ?? {}, n)));
        },
      },
      { t },
    );
    const product = await start(t, upstream, { drain: "1s" });
    const requests = Promise.all(Array.from({ length: count }, (_, n) => makeRequest(product, n)));
    await upstream.until(() => upstream.last.texts.length === count, { what: "all requests at the upstream" });
    const stopping = stopBy(product, cause);
    await until(async () => (await product.fetch("/readyz")).status === 503);
    for (const reply of held) reply();
    const { code, report } = await stopping;
    const answers = await requests;
    assert.equal(code, 0, product.stderr());
    assert.deepEqual(outcomes(report), ["drain forced", ...ALL_DONE.slice(1)]);
    assert.deepEqual(tally(answers), { ok: count / 4, "cancelled maybe": (count * 3) / 4 });
    for (const { n, how, result } of answers) {
      assert.equal(how === "ok", n % 4 === 0);
      if (how === "ok") assert.equal(result, n, "its own reply");
    }
    assert.deepEqual(stepOf(report, "drain").counts, { replied: count / 4, left: (count * 3) / 4 });
    assert.deepEqual(stepOf(report, "cancel").counts, {
      cancelled: { no: 0, maybe: (count * 3) / 4, yes: 0 },
      messages: 0,
      flushed: true,
    });
    assert.equal(upstream.last.closeFrame?.code, 1001);
  });
}

test("a cancelled request says `yes` only if a pong has proven it, and `no` only if it never arrived", async (t) => {
  const upstream = await startFaultUpstream({ onMessage: () => {} }, { t });
  const keepalive = { ping: "100ms", pong_within: "20s" };
  const limits = { buffered_bytes: "2MiB" };
  const product = await start(t, upstream, { drain: "200ms", close: "200ms" }, { keepalive, limits });
  const proven = Array.from({ length: 300 }, (_, n) => makeRequest(product, n));
  await upstream.until(() => upstream.last.texts.length === 300);
  const peer: Peer = upstream.last;
  const pings = peer.pings.length;
  await upstream.until(() => peer.pings.length >= pings + 2, { what: "a ping after them, and its pong" });
  peer.pause();
  const padding = "x".repeat(20_000);
  const others = Array.from({ length: 700 }, (_, n) => makeRequest(product, 300 + n, padding));
  // Some find the buffer full and are refused at once; the rest are in flight.
  const refusedNow: Answered[] = [];
  for (const each of others) each.then((answer) => void (answer.how === "congested no" && refusedNow.push(answer)));
  await until(async () => Number((await product.state()).in_flight) + refusedNow.length === PENDING, { every: 50 });
  const { code, report } = await stopBy(product, "SIGTERM");
  const answers = await Promise.all([...proven, ...others]);
  assert.equal(code, 1, "the peer did not read our close frame");
  assert.deepEqual(outcomes(report), ["drain forced", "stop done", "close forced", "cancel done", "join done"]);
  const got = received(upstream);
  const counts = tally(answers);
  assert.deepEqual(Object.keys(counts).sort(), ["cancelled maybe", "cancelled yes", "congested no"]);
  for (const { n, how } of answers) {
    if (how.endsWith("yes")) assert.ok(got.has(n), `request ${n} never arrived, but its response says ${how}`);
    if (how.endsWith("no")) assert.ok(!got.has(n), `request ${n} arrived, but its response says ${how}`);
  }
  assert.equal(counts["cancelled yes"], 300);
  assert.deepEqual(stepOf(report, "cancel").counts?.cancelled, {
    no: 0,
    maybe: counts["cancelled maybe"],
    yes: 300,
  });
});

test("requests that never left the host fail on the stop as `shutting_down`, not sent", async (t) => {
  const upstream = await startFaultUpstream({ handshake: { do: "silent" } }, { t });
  const config = { shutdown: PATIENT, upstreams: { default: { url: upstream.url } } };
  const product = await startProduct({ config, t });
  const requests = Promise.all(Array.from({ length: HELD }, (_, n) => makeRequest(product, n)));
  await inFlight(product, HELD);
  const { code, report } = await stopBy(product, "SIGTERM");
  assert.equal(code, 0);
  assert.deepEqual(outcomes(report), ALL_DONE);
  assert.deepEqual(tally(await requests), { "shutting_down no": HELD });
});
