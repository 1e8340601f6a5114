/** Node's inspector, a Chrome DevTools Protocol server, behind the cdp preset. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Product, startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { type Inspector, startInspector } from "./inspector.ts";

interface Evaluated {
  readonly id?: unknown;
  readonly result?: { readonly result?: { readonly type?: string; readonly value?: unknown } };
  readonly error?: { readonly code: number; readonly message: string };
}

describe("in front of Node's inspector (Chrome DevTools Protocol)", () => {
  let inspector: Inspector;
  let product: Product;
  before(async () => {
    inspector = await startInspector();
    product = await startProduct({ config: { upstreams: { default: { url: inspector.url, protocol: "cdp" } } } });
    await product.ready();
  });
  after(async () => {
    await product?.kill();
    await inspector?.stop();
  });

  async function evaluate(expression: string, own: object = {}): Promise<Evaluated> {
    const params = { expression, returnByValue: true };
    const response = await product.request({ ...own, method: "Runtime.evaluate", params });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
    return JSON.parse(text) as Evaluated;
  }

  test("a request without an id gets its result, without an id of ours", async () => {
    const reply = await evaluate("1+1");
    assert.equal(reply.result?.result?.value, 2);
    assert.equal(Object.hasOwn(reply, "id"), false);
  });

  for (const id of ["a string, which the inspector itself refuses", 2 ** 40, -7, 1.5]) {
    test(`the caller's own id ${JSON.stringify(id)} comes back with its type`, async () => {
      const reply = await evaluate("'own'", { id });
      assert.equal(reply.id, id);
      assert.equal(reply.result?.result?.value, "own");
    });
  }

  test("two hundred concurrent requests with one id each get their own result", async () => {
    const numbers = Array.from({ length: 200 }, (_, n) => n);
    const replies = await Promise.all(numbers.map((n) => evaluate(`${n} * 1000`, { id: "the same" })));
    assert.deepEqual(
      replies.map((reply) => reply.result?.result?.value),
      numbers.map((n) => n * 1000),
    );
  });

  test("an error of the inspector's is a reply", async () => {
    const response = await product.request({ id: "x", method: "Nobody.knows" });
    assert.equal(response.status, 200);
    const reply = (await response.json()) as Evaluated;
    assert.equal(reply.id, "x");
    assert.equal(reply.error?.code, -32601);
  });

  test("a large reply arrives whole", async () => {
    const reply = await evaluate("'x'.repeat(5_000_000)");
    assert.equal(reply.result?.result?.value, "x".repeat(5_000_000));
  });

  test("its events are counted, and settle no request", async () => {
    await (await product.request({ method: "Runtime.enable" })).body?.cancel();
    const messageCount = async () => ((await product.state()).counters as { messages: number }).messages;
    await until(async () => (await messageCount()) > 0, { within: 5_000, what: "an event" });
  });

  test("stops cleanly", async () => {
    const { code, ms } = await product.stop();
    assert.equal(code, 0, product.stderr());
    assert.ok(ms < 1_000, `${ms} ms`);
    assert.deepEqual(
      product.report().steps.map(({ step }) => step),
      ["drain", "stop", "close", "cancel", "join"],
    );
  });
});
