/** Load as users have it: many clients with one id, an upstream that dies, and a stop in the middle. */
import assert from "node:assert/strict";
import process from "node:process";
import { describe, test } from "node:test";
import { type Product, startProduct } from "../support/product.ts";
import { startUpstream } from "../support/upstream.ts";

/** `LOAD_SECONDS=30` for the long form; a few seconds find most of what it finds. */
const SECONDS = Number(process.env.LOAD_SECONDS ?? 3);
const CLIENTS = 200;

interface Ended {
  readonly at: number;
  readonly status: number;
  readonly code: string | undefined;
  readonly sent: string | undefined;
}

/** Sends requests in a loop, always with id 1, until stopped; checks that every response is its own. */
async function makeRequests(product: Product, client: number, going: () => boolean, ended: Ended[]): Promise<number> {
  let replies = 0;
  for (let n = 0; going(); n++) {
    const nonce = `${client}/${n}`;
    const response = await product.rpc({ jsonrpc: "2.0", id: 1, method: "echo", params: [nonce] });
    const reply = (await response.json()) as { id: unknown; result?: unknown[]; error?: { data: Ended } };
    if (reply.error) {
      ended.push({ ...reply.error.data, at: performance.now(), status: response.status });
      continue;
    }
    assert.equal(reply.id, 1);
    assert.deepEqual(reply.result, [nonce]);
    replies++;
  }
  return replies;
}

function clients(product: Product, going: () => boolean, ended: Ended[]): Promise<number[]> {
  return Promise.all(Array.from({ length: CLIENTS }, (_, client) => makeRequests(product, client, going, ended)));
}

describe("under load", () => {
  test(`${CLIENTS} clients that all use id 1 each get all of their own replies`, async (t) => {
    const upstream = await startUpstream({ t });
    const product = await startProduct({ upstream, t });
    await product.ready();
    const until = performance.now() + SECONDS * 1_000;
    const ended: Ended[] = [];
    const replies = await clients(product, () => performance.now() < until, ended);
    assert.deepEqual(ended, [], "no request may fail");
    assert.ok(
      replies.every((count) => count > 0),
      `${replies}`,
    );
    t.diagnostic(`${replies.reduce((sum, count) => sum + count)} replies in ${SECONDS} s`);
  });

  test("a killed upstream fails pending requests at once, and requests after its return are served", async (t) => {
    const upstream = await startUpstream({ t });
    const reconnect = { from: "50ms", to: "200ms" };
    const config = { upstreams: { default: { url: upstream.url, reconnect } } };
    const product = await startProduct({ config, t });
    await product.ready();
    // Requests on the wire, without a reply, when the upstream dies.
    const silent = Array.from({ length: 300 }, async (_, n) => {
      const response = await product.request({ jsonrpc: "2.0", id: n, method: "silent" });
      await response.body?.cancel();
      return {
        at: performance.now(),
        code: response.headers.get("sidesocket-code"),
        sent: response.headers.get("sidesocket-sent"),
      };
    });
    let going = true;
    const ended: Ended[] = [];
    const load = clients(product, () => going, ended);
    await upstream.until(() => upstream.texts.filter((text) => text.includes('"silent"')).length === 300);
    const lostAt = performance.now();
    await upstream.stop();
    const ends = await Promise.all(silent);
    for (const { at, code, sent } of ends) {
      assert.equal(code, "connection_lost");
      assert.equal(sent, "maybe");
      // The load runs in this same process: the contract's tests measure how soon it ends without one.
      assert.ok(at - lostAt < 5_000, `${at - lostAt} ms after the loss`);
    }
    t.diagnostic(
      `300 pending requests ended ${Math.round(Math.max(...ends.map(({ at }) => at)) - lostAt)} ms after the loss`,
    );
    await upstream.restart();
    await product.ready();
    going = false;
    await load;
    for (const { code, sent, status } of ended) {
      assert.ok(code === "connection_lost" || code === "upstream_down", code);
      assert.equal(status === 200, sent !== "no", `${status} with sent: ${sent}`);
    }
    const after = await product.rpc({ jsonrpc: "2.0", id: 1, method: "echo", params: ["back"] });
    assert.deepEqual(await after.json(), { jsonrpc: "2.0", id: 1, result: ["back"] });
  });

  test("SIGTERM under load answers every caller, closes the upstream with 1001, and exits with 0", async (t) => {
    const upstream = await startUpstream({ t });
    const product = await startProduct({ upstream, t });
    await product.ready();
    let going = true;
    const outcomes: (number | "refused")[] = [];
    const load = Array.from({ length: CLIENTS }, async (_, client) => {
      while (going) {
        try {
          const response = await product.rpc({ jsonrpc: "2.0", id: 1, method: "echo", params: [client] });
          await response.text();
          outcomes.push(response.status);
        } catch {
          // The listener is gone: a connection was never accepted, or an idle one was cut.
          outcomes.push("refused");
          return;
        }
      }
    });
    await upstream.until(() => upstream.texts.length > 2_000, { within: 20_000 });
    const { code } = await product.stop("SIGTERM");
    going = false;
    await Promise.all(load);
    assert.equal(code, 0, product.stderr());
    // Its own clock: the load runs in this same process, which hears of the end late.
    const { exit_code, ms } = product.report();
    assert.ok(ms < 3_000, `${ms} ms`);
    assert.equal(exit_code, 0);
    assert.equal(upstream.connections[0]?.closed?.code, 1001);
    // 408 is the last response of an idle connection: a request that crosses it was not sent.
    assert.ok(
      outcomes.every((outcome) => outcome === "refused" || [200, 408, 503].includes(outcome)),
      `${new Set(outcomes)}`,
    );
    t.diagnostic(`stopped in ${Math.round(ms)} ms`);
  });
});
