/** Fault row 36: clients that leave while they wait. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RawConnection } from "../support/http.ts";
import { type Product, startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { replyTo, requestOf } from "./replies.ts";
import { startFaultUpstream } from "./upstream.ts";

const PATH = "/v1/upstreams/default/request";
const ROUNDS = 20;
const CROWD = 100;
/** The row's own bound, applied to the median: a single one proves little on a busy machine. */
const REMOVED_WITHIN_MS = 50;

const call = (n: number) => ({ jsonrpc: "2.0", id: 1, method: "number", params: [n] });

async function inFlight(product: Product): Promise<number> {
  return Number((await product.state()).in_flight);
}

async function counters(product: Product): Promise<Record<string, number>> {
  return (await product.state()).counters as Record<string, number>;
}

const leaves: ReadonlyMap<string, (connection: RawConnection) => void> = new Map([
  ["with FIN", (connection) => connection.destroy()],
  ["with RST", (connection) => connection.reset()],
  ["by ending its half", (connection) => connection.end()],
]);

for (const [how, leave] of leaves) {
  test(`row 36: a client that leaves ${how} is forgotten at once, and its late reply reaches nobody`, async (t) => {
    const held: (() => void)[] = [];
    const upstream = await startFaultUpstream(
      {
        onMessage: (peer, frame) => {
          const request = requestOf(frame);
          const [n] = (request?.params ?? [0]) as [number];
          if (n < 0) peer.json(replyTo(request ?? {}));
          else held.push(() => peer.json(replyTo(request ?? {})));
        },
      },
      { t },
    );
    const product = await startProduct({ upstream, t });
    await product.ready();
    const makeRequest = async (n: number): Promise<RawConnection> => {
      const connection = await RawConnection.open(product, t);
      const headers = { "Content-Type": "application/json" };
      connection.send({ method: "POST", path: PATH, headers, body: JSON.stringify(call(n)) });
      return connection;
    };

    const took: number[] = [];
    for (let n = 0; n < ROUNDS; n += 1) {
      const connection = await makeRequest(n);
      await upstream.until(() => held.length === n + 1);
      leave(connection);
      const left = performance.now();
      await until(async () => (await inFlight(product)) === 0, {
        within: 2_000,
        every: 1,
        what: "its place to be free",
      });
      took.push(performance.now() - left);
    }
    const [middle = 0] = took.sort((a, b) => a - b).slice(ROUNDS / 2);
    assert.ok(middle <= REMOVED_WITHIN_MS, `${took.map(Math.round)} ms`);

    const crowd = await Promise.all(Array.from({ length: CROWD }, (_, n) => makeRequest(ROUNDS + n)));
    await upstream.until(() => held.length === ROUNDS + CROWD);
    for (const connection of crowd) leave(connection);
    await until(async () => (await inFlight(product)) === 0, { within: 2_000, what: "all places to be free" });

    for (const reply of held) reply();
    await until(async () => (await counters(product)).late === ROUNDS + CROWD, {
      what: "the late replies to be counted",
    });
    assert.equal((await counters(product)).abandoned, ROUNDS + CROWD);
    assert.deepEqual(await (await product.request(call(-1))).json(), { jsonrpc: "2.0", id: 1, result: [-1] });
    assert.ok(
      [...crowd].every(({ received }) => received === ""),
      "nobody was answered",
    );
    assert.equal((await product.stop()).code, 0, product.stderr());
    assert.doesNotMatch(product.stderr(), /unhandled|internal error/i);
  });
}
