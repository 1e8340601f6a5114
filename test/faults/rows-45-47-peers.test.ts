/** Fault rows 45 to 47: stops against uncooperative clients and upstreams, and an end without any stop. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { timed } from "../contract/expect.ts";
import { ALL_DONE, type Cause, outcomes, stepOf, stopBy } from "../exit/stopping.ts";
import { RawConnection } from "../support/http.ts";
import { startProduct } from "../support/product.ts";
import type { Cleanup } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import { bigCall, REPLY_BYTES, stall } from "./stalled.ts";
import { type Behaviour, startFaultUpstream } from "./upstream.ts";

const HEADERS = { "Content-Type": "application/json" };
const call = (method: string, params: unknown = []) => ({ jsonrpc: "2.0", id: 1, method, params });

/** flush 1 s + close 2 s + answer 500 ms, and 200 ms: the row's own bound. */
const STALLED_WITHIN_MS = 3_700;

for (const cause of ["SIGTERM", "/shutdown"] as const satisfies readonly Cause[]) {
  test(`row 45: half requests, silent sockets and clients that never read do not hold ${cause}: code 0`, async (t) => {
    const upstream = await startUpstream({ t });
    const product = await startProduct({ upstream, t });
    await product.ready();
    const { silent, headers, bodies } = await stall(product, t);
    const { code, report } = await stopBy(product, cause, STALLED_WITHIN_MS - 250);
    assert.equal(code, 0, product.stderr());
    assert.deepEqual(outcomes(report), ALL_DONE);
    assert.equal(stepOf(report, "cancel").counts?.flushed, false, "somebody never read");
    for (const connection of [...silent, ...headers, ...bodies]) await connection.closed(1_000);
    for (const connection of bodies) assert.equal((await connection.response()).status, 503);
  });
}

test("row 45: clients that read get their whole response, however large, although others never read", async (t) => {
  const upstream = await startUpstream({ t });
  const product = await startProduct({ upstream, t });
  await product.ready();
  const deaf = await RawConnection.open(product, t);
  deaf.pause();
  deaf.send({ method: "POST", path: "/rpc", headers: HEADERS, body: JSON.stringify(bigCall) });
  const reading = Promise.all(Array.from({ length: 5 }, async () => (await product.rpc(bigCall)).text()));
  await upstream.until(() => upstream.messages.length === 6);
  const { code } = await stopBy(product, "SIGTERM");
  assert.equal(code, 0);
  for (const text of await reading) assert.ok(text.length > REPLY_BYTES);
});

const CLOSE_MS = 400;
const ROUNDS = 3;

const unclosing: ReadonlyMap<string, Behaviour> = new Map<string, Behaviour>([
  ["never answers our close frame", { onClose: false, onEnd: false }],
  ["does not even read our close frame", { reads: false, onEnd: false }],
  [
    "sends endless pings instead of a close frame",
    {
      onClose: (peer) => {
        const again = (): void => {
          peer.ping("again");
          peer.later(5, again);
        };
        again();
      },
      onEnd: false,
    },
  ],
]);

for (const [how, behaviour] of unclosing) {
  test(`row 46: an upstream that ${how} is broken off after the close bound: code 1`, async (t) => {
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < ROUNDS && best > CLOSE_MS + 100; round += 1) {
      const upstream = await startFaultUpstream(behaviour, { t });
      const config = { shutdown: { close: `${CLOSE_MS}ms` }, upstreams: { default: { url: upstream.url } } };
      const product = await startProduct({ config, t });
      await product.ready();
      const { code, report } = await stopBy(product, "SIGTERM", 2_000);
      assert.equal(code, 1, product.stderr());
      assert.deepEqual(outcomes(report), ["drain done", "stop done", "close forced", "cancel done", "join done"]);
      assert.deepEqual(stepOf(report, "close").counts, {
        upstreams: [{ upstream: "default", code: null, by: "us", forced: true }],
      });
      assert.ok(report.ms >= CLOSE_MS - 5);
      best = Math.min(best, report.ms);
    }
    // The best of a few: a single one proves little on a busy machine.
    assert.ok(best <= CLOSE_MS + 100, `${best} ms`);
  });
}

async function onPort(t: Cleanup, url: string, port: number) {
  const product = await startProduct({ upstream: url, args: ["--port", String(port)], t });
  await product.ready();
  return product;
}

test("row 47: a SIGKILL is seen by the upstream at once, and a new start on the same port is clean", async (t) => {
  const upstream = await startFaultUpstream({}, { t });
  const first = await onPort(t, upstream.url, 0);
  const { port } = first;
  const client = await RawConnection.open(first, t);
  const [, ms] = await timed(first.kill());
  await upstream.until(() => upstream.last.clientEnded, { within: 500, what: "the end of the connection" });
  await client.closed(500);
  assert.ok(ms < 1_000, `${ms} ms`);
  const second = await onPort(t, upstream.url, port);
  assert.equal((await second.request(call("echo", ["again"]))).status, 200);
  const { code } = await stopBy(second, "SIGTERM");
  assert.equal(code, 0);
  assert.equal(upstream.peers.length, 2);
});
