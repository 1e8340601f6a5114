/** Bodies that are not JSON: text and bytes, sent to an upstream without ids. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { after, before, describe, test } from "node:test";
import { RawConnection } from "../support/http.ts";
import { type Product, startProduct } from "../support/product.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { problem, rpcProblem } from "./expect.ts";

describe("in front of an upstream without ids", () => {
  let upstream: Upstream;
  let product: Product;
  before(async () => {
    upstream = await startUpstream({
      onMessage: (message, connection) => {
        const slow = typeof message === "string" && message.startsWith("slow");
        if (slow) connection.later(300, () => connection.send(message));
        else connection.send(message);
      },
    });
    product = await startProduct({ upstream, args: ["--protocol", "text"] });
    await product.ready();
  });
  after(async () => {
    await product?.kill();
    await upstream?.stop();
  });
  const send = (body: string | Uint8Array, type: string) =>
    product.request(body, { headers: { "content-type": type } });

  test("text goes up as text and comes back as text", async () => {
    for (const type of ["text/plain", "text/csv; charset=utf-8", "application/json"]) {
      const response = await send("{ not JSON, ü", type);
      assert.equal(response.headers.get("content-type"), "text/plain; charset=utf-8");
      assert.equal(await response.text(), "{ not JSON, ü");
      assert.equal(upstream.messages.at(-1), "{ not JSON, ü");
    }
  });

  test("bytes go up as a binary frame and come back as bytes", async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
    const response = await send(bytes, "application/octet-stream");
    assert.equal(response.headers.get("content-type"), "application/octet-stream");
    assert.deepEqual(Buffer.from(await response.arrayBuffer()), Buffer.from(bytes));
    assert.deepEqual(upstream.messages.at(-1), bytes);
  });

  test("concurrent requests each get their own reply", async () => {
    const texts = Array.from({ length: 40 }, (_, at) => `line ${at}`);
    const replies = await Promise.all(texts.map(async (text) => (await send(text, "text/plain")).text()));
    assert.deepEqual(replies, texts);
  });

  test("a late reply is never taken for the next request's", async () => {
    const lag = (text: string, query = "") =>
      product.post(`/v1/upstreams/default/request${query}`, text, { headers: { "content-type": "text/plain" } });
    const first = lag("slow first", "?timeout=100ms");
    const second = lag("second");
    await problem(await first, { status: 504, code: "reply_timeout", sent: "maybe" });
    assert.equal(await (await second).text(), "second");
    assert.equal(await (await lag("third")).text(), "third");
  });

  test("empty, broken and unsupported bodies are refused", async () => {
    const before = upstream.messages.length;
    const refusedAs = (status: number, code: string) => ({ status, code, sent: "no" }) as const;
    await problem(await send("", "text/plain"), refusedAs(400, "invalid_request"));
    await problem(await send(new Uint8Array([0xff]), "text/plain"), refusedAs(400, "invalid_request"));
    const form = await send("a=b", "application/x-www-form-urlencoded");
    const detail = /--data-binary/;
    await problem(form, { ...refusedAs(415, "unsupported_media_type"), detail });
    assert.equal(upstream.messages.length, before);
  });

  test("/rpc does not serve it", async () => {
    const response = await product.rpc({ jsonrpc: "2.0", id: 1, method: "echo" });
    await rpcProblem(response, {
      status: 404,
      code: "not_found",
      sent: "no",
      detail: /speaks .+, not json-rpc: use \/v1\/upstreams\/.+\/request/,
    });
  });
});

test("a caller that leaves in the middle of a body is not reported as our fault", async (t) => {
  const upstream = await startUpstream({ t });
  const product = await startProduct({ upstream, t });
  await product.ready();
  const headers = { "Content-Type": "application/json", "Content-Length": "100" };
  for (let n = 0; n < 10; n++) {
    const caller = await RawConnection.open(product, t);
    caller.send({ method: "POST", path: "/v1/upstreams/default/request", headers, body: '{"jsonrpc"' });
    // The response shows that the service has run since.
    await product.fetch("/livez");
    caller.destroy();
  }
  await product.stop();
  assert.doesNotMatch(product.stderr(), /internal error/);
});
