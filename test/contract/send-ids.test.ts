/** `/send` and ids: responses to the upstream go out as they are written, and nothing gets an id that has none. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Product, startProduct } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startUpstream } from "../support/upstream.ts";
import { problem } from "./expect.ts";

const SEND = "/v1/upstreams/default/send";
const rpc = (members: string) => `{"jsonrpc":"2.0",${members}}`;

async function sent(product: Product, body: string): Promise<void> {
  const response = await product.fetch(SEND, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  assert.equal(response.status, 204, await response.text());
}

/** Asks with the id of the request that it got, and replies once it has been told. */
async function startAsking(t: Cleanup) {
  const upstream = await startUpstream({
    t,
    onMessage(message, connection) {
      const { id, method, result } = JSON.parse(String(message));
      if (method === "get") connection.send({ jsonrpc: "2.0", id, method: "ask" });
      if (result !== undefined) connection.send({ jsonrpc: "2.0", id, result: "got" });
    },
  });
  return { upstream, product: await startProduct({ upstream, t }) };
}

describe("json-rpc", () => {
  test("a response to the upstream goes out byte for byte, though a request of ours has the same id", async (t) => {
    const { upstream, product } = await startAsking(t);
    const reply = product.request(JSON.parse(rpc('"id":"mine","method":"get"')));
    await until(() => upstream.texts.length === 1, { what: "the request" });
    const { id } = JSON.parse(upstream.texts[0] ?? "");
    const response = ` { "result" : 9007199254740993, "id":${id}, "jsonrpc":"2.0" } `;
    await sent(product, response);
    assert.deepEqual(await (await reply).json(), { jsonrpc: "2.0", id: "mine", result: "got" });
    assert.equal(upstream.texts[1], response);

    const items = [rpc('"id":"a","result":null'), rpc('"method":"note"'), rpc('"id":7,"error":{"code":1}')];
    await sent(product, `[${items.join(", ")}]`);
    await until(() => upstream.texts.length === 5, { what: "the batch" });
    assert.deepEqual(upstream.texts.slice(2), items);
    const confirmed = await product.fetch(`${SEND}?confirm=pong`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: items[0] ?? "",
    });
    assert.equal(confirmed.headers.get("sidesocket-sent"), "yes");
    assert.equal(upstream.texts[5], items[0]);

    const refused = await product.request(JSON.parse(items[0] ?? ""));
    await problem(refused, { status: 400, code: "invalid_request", sent: "no", detail: /is a response.*\/send/ });
    const batch = await product.fetch("/v1/upstreams/default/request", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: `[${items[0]},${items[2]}]`,
    });
    assert.match(await batch.text(), /is a response.*\/send/);
    const error = await product.post("/rpc", JSON.parse(items[0] ?? ""));
    assert.equal(error.status, 400);
    assert.equal(((await error.json()) as { error: { code: number } }).error.code, -32600);
    assert.equal(upstream.texts.length, 6, "nothing more has been sent");
  });
});

test("a message without an id goes out without one, one with an id gets ours", async (t) => {
  const upstream = await startUpstream({ t, onMessage: () => {} });
  const lines = await startUpstream({ t, onMessage: () => {} });
  const id = { out: "#$id $message", in: "^(?<cut>#(?<id>[0-9]+) )" };
  const config = {
    upstreams: {
      default: { url: upstream.url, protocol: { preset: "json", id: { kind: "increasing" } } },
      lines: { url: lines.url, protocol: { preset: "text", id } },
    },
  };
  const product = await startProduct({ config, t });
  await product.ready();
  for (const body of ['{"type":"note"}', '{"id":1000,"type":"get"}', ' {"type": "note"}']) await sent(product, body);
  for (const body of ["note", "#1000 get", "#12"])
    await product.fetch("/v1/upstreams/lines/send", {
      method: "POST",
      headers: { "content-type": "text/plain" },
      body,
    });
  await until(() => upstream.texts.length === 3 && lines.texts.length === 3, { what: "the messages" });
  const [first, second, third] = upstream.texts;
  assert.deepEqual([first, third], ['{"type":"note"}', ' {"type": "note"}']);
  assert.match(second ?? "", /^\{"id":\d{1,2},"type":"get"\}$/);
  assert.deepEqual([lines.texts[0], lines.texts[2]], ["note", "#12"]);
  assert.match(lines.texts[1] ?? "", /^#\d{1,2} get$/);
});
