/** websocketd with jq, a line protocol without ids that answers in order. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Product, startProduct } from "../support/product.ts";
import type { Cleanup } from "../support/until.ts";
import { lacks } from "./programs.ts";
import { startWebsocketd } from "./websocketd.ts";

const sum = (a: number, b: number): string => JSON.stringify({ id: "the same", a, b });

describe("in front of websocketd with jq, line by line", { skip: lacks("websocketd", "jq") }, () => {
  const cleanups: (() => unknown)[] = [];
  const t: Cleanup = { after: (cleanup) => cleanups.push(cleanup) } as Cleanup;
  let product: Product;
  before(async () => {
    const { url } = await startWebsocketd(["jq", "--unbuffered", "-c", "{id:.id,sum:(.a+.b)}"], t);
    const upstream = { url, protocol: "text", reconnect: { from: "20ms", to: "200ms" } };
    product = await startProduct({ config: { upstreams: { default: upstream } }, t });
    await product.ready();
  });
  after(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
  });

  const makeRequest = (line: string): Promise<Response> =>
    product.request(line, { headers: { "content-type": "text/plain" } });

  test("a line goes up, and jq's result comes back", async () => {
    const response = await makeRequest(sum(1, 2));
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "application/json");
    assert.equal((await response.text()).trim(), '{"id":"the same","sum":3}');
  });

  test("fifty concurrent requests each get their own sum, though nothing in the lines distinguishes them", async () => {
    const replies = await Promise.all(
      Array.from({ length: 50 }, async (_, n) => (await makeRequest(sum(n, n))).json()),
    );
    assert.deepEqual(
      replies.map((reply) => (reply as { sum: number }).sum),
      Array.from({ length: 50 }, (_, n) => 2 * n),
    );
  });

  test("a line that kills jq fails as lost, maybe sent; the next one is served by a new jq", async () => {
    const lost = await makeRequest("this is not JSON");
    assert.deepEqual(
      [lost.status, lost.headers.get("sidesocket-code"), lost.headers.get("sidesocket-sent")],
      [502, "connection_lost", "maybe"],
    );
    await lost.body?.cancel();
    await product.ready();
    assert.equal((await (await makeRequest(sum(3, 4))).text()).trim(), '{"id":"the same","sum":7}');
  });
});
