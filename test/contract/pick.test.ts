/** `?pick=`: one value of a reply, for callers without a JSON parser. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Product, startProduct } from "../support/product.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { problem } from "./expect.ts";

const call = (method: string, params: unknown) => ({ jsonrpc: "2.0", id: 1, method, params });
const quote = { price: 12.5, name: "Ü 1", open: true, none: null, levels: [{ bid: 1 }] };

describe("?pick", () => {
  let upstream: Upstream;
  let product: Product;
  before(async () => {
    upstream = await startUpstream();
    const lines = await startUpstream({ onMessage: (_message, connection) => connection.send('{"level": 7}') });
    const upstreams = { default: { url: upstream.url }, lines: { url: lines.url, protocol: "text" } };
    product = await startProduct({ config: { upstreams } });
    await product.ready();
    stop = async () => {
      await product.kill();
      await upstream.stop();
      await lines.stop();
    };
  });
  let stop = async (): Promise<void> => {};
  after(() => stop());

  const pick = (pointer: string, body: unknown = call("echo", quote)): Promise<Response> =>
    product.post(`/v1/upstreams/default/request?pick=${encodeURIComponent(pointer)}`, body);

  const values: readonly (readonly [pointer: string, text: string])[] = [
    ["/result/price", "12.5"],
    ["/result/name", "Ü 1"],
    ["/result/open", "true"],
    ["/result/none", "null"],
    ["/result/levels", '[{"bid":1}]'],
    ["/id", "1"],
  ];
  for (const [pointer, text] of values) {
    test(`${pointer} responds with ${text} and nothing else`, async () => {
      const response = await pick(pointer);
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("content-type"), "text/plain; charset=utf-8");
      assert.ok(response.headers.get("server-timing"));
      assert.equal(await response.text(), text);
    });
  }

  const unusable = { status: 502, code: "invalid_reply", sent: "yes" } as const;

  test("a pointer that leads nowhere is 502, sent, and the problem says what is there", async () => {
    await problem(await pick("/result/cost"), { ...unusable, detail: /"\/result\/cost".*an object with "price"/ });
  });

  test("an upstream's error never becomes an empty success", async () => {
    const response = await pick("/result", call("error", [-32042, "no luck"]));
    await problem(response, { ...unusable, detail: /error: \{"code":-32042,"message":"no luck"\}/ });
    assert.equal(await (await pick("/error/code", call("error", [-32042, "no luck"]))).text(), "-32042");
  });

  test("an invalid pointer, and a batch, are 400 and nothing is sent", async () => {
    const before = upstream.texts.length;
    const refused = { status: 400, code: "invalid_request", sent: "no" } as const;
    await problem(await pick("result"), { ...refused, detail: /^pick: "result" is not a JSON pointer/ });
    await problem(await pick("/a~2"), refused);
    await problem(await pick("/0/result", [call("echo", 1)]), { ...refused, detail: /one reply/ });
    assert.equal(upstream.texts.length, before);
  });

  test("a value can be picked from any reply that is JSON, whatever the request's type", async () => {
    const init = { headers: { "content-type": "text/plain" } };
    const response = await product.post("/v1/upstreams/lines/request?pick=/level", "[1", init);
    assert.equal(await response.text(), "7");
  });

  test("a value is picked from a large reply", async () => {
    const response = await pick("/result", call("big", [8_000_000]));
    assert.equal((await response.text()).length, 8_000_000);
  });
});
