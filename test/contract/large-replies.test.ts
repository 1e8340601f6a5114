/** Replies of more than 64 KiB, which stay bytes on their way, beside large frames that are none. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Product, startProduct } from "../support/product.ts";
import { startUpstream, type Upstream, type UpstreamConnection } from "../support/upstream.ts";

let upstream: Upstream;
let product: Product;

/** Replies with the text in `params`, in which `$id` stands for the request's id. */
function speak(message: string | Uint8Array, connection: UpstreamConnection): void {
  const { id, params } = JSON.parse(String(message));
  connection.send(inflated(params).replaceAll("$id", String(id)));
}

/** Long text is written as its description: the size of requests is not what is tested here. */
function inflated(text: string): string {
  return text.replace("LONG", LONG).replace("LIST", `[${'{"a":[1,"\\\\\\""]},'.repeat(8_000)}null]`);
}

const LONG = `é\\"漢😀\\\\${"x".repeat(997)}`.repeat(100);

before(async () => {
  upstream = await startUpstream({ onMessage: speak });
  const into = { has: ["/result/done"] };
  product = await startProduct({
    config: {
      upstreams: {
        rpc: { url: upstream.url },
        into: { url: upstream.url, protocol: { preset: "json", final: [into], collect: {} } },
        captured: { url: upstream.url, capture: [{ when: { has: ["/result"] }, values: { seen: "/id" } }] },
      },
    },
  });
  await product.ready();
});
after(async () => {
  await product?.kill();
  await upstream?.stop();
});

async function ask(text: string, { id = "7", on = "rpc", query = "" } = {}) {
  const body = `{"jsonrpc":"2.0","id":${id},"method":"m","params":${JSON.stringify(text)}}`;
  const response = await product.post(`/v1/upstreams/${on}/request${query}`, body);
  return { status: response.status, type: response.headers.get("content-type"), text: await response.text() };
}

test("a large reply comes byte for byte, with the caller's own id wherever it stands", async () => {
  const forms = [
    '{"jsonrpc":"2.0","id":$id,"result":"LONG"}',
    ' { "result" : LIST ,\n"more":"LONG", "jsonrpc":"2.0", "id" : $id } ',
    '{"result":{"é":"LONG"},"id":$id}',
  ];
  for (const on of ["rpc", "captured"]) {
    for (const form of forms) {
      for (const id of ["7", '"~0"', '"é"', "12345678901234567890"]) {
        const got = await ask(form, { id, on });
        assert.deepEqual([got.status, got.type], [200, "application/json"], form);
        assert.ok(got.text === inflated(form).replace("$id", id), `${form} for ${id} on ${on}`);
      }
    }
  }
});

test("a large error, an error code and a picked value are those of any reply", async () => {
  const error = await ask('{"id":$id,"error":{"code":-5,"message":"LONG"}}');
  assert.equal((JSON.parse(error.text) as { error: { code: number } }).error.code, -5);
  const picked = await ask('{"id":$id,"result":{"a":"LONG","b":[1,{"c":9}]}}', { query: "?pick=/result/b/1/c" });
  assert.deepEqual([picked.status, picked.text], [200, "9"]);
});

test("the ends of a reply are found within large values, where the protocol looks for them", async () => {
  const got = await ask('{"id":$id,"result":{"text":"LONG","done":true}}', { on: "into" });
  assert.equal(got.status, 200);
  assert.ok(got.text.startsWith('[{"id":7,'), got.text.slice(0, 50));
});

test("a batch gets its large replies, and each its own", async () => {
  const items = [1, 2].map((id) => ({ jsonrpc: "2.0", id, method: "m", params: '{"id":$id,"result":"LONG"}' }));
  const replies = (await (await product.post("/rpc/rpc", items)).json()) as { id: number; result: string }[];
  assert.deepEqual(
    replies.map(({ id, result }) => [id, result.length]),
    [1, 2].map((id) => [id, JSON.parse(`"${LONG}"`).length]),
  );
});

test("what is wrong around large values makes a frame no reply, and what is wrong within them does not", async () => {
  const within = await ask('{"id":$id,"result":[1,,"LONG"]}');
  assert.deepEqual([within.status, within.text.slice(0, 22)], [200, '{"id":7,"result":[1,,"']);
  for (const wrong of [
    '{"id":$id,"result":"LONG","id":$id}',
    '{"id":$id,"result":"LONG",}',
    '{"id":$id,"result":"LONG"}}',
    '{"id":$id,"result":["LONG"}',
  ]) {
    const got = await ask(wrong, { query: "?timeout=300ms" });
    assert.equal(got.status, 504, wrong);
  }
});

test("a large frame that is no reply is a message, and is known to be JSON", async () => {
  await ask('{"method":"note","params":{"about":"this","x":"LONG"}}', { query: "?timeout=300ms" });
  const page = await product.fetch("/v1/upstreams/rpc/messages?after=earliest&where=/params/about=this&wait=5s");
  const { messages } = (await page.json()) as { messages: { data: { params: { x: string } } }[] };
  assert.equal(messages[0]?.data.params.x, JSON.parse(`"${LONG}"`));
});
