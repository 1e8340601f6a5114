/** Upstreams that put several messages in a frame, compress frames, or send JSON as bytes. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { type Product, startProduct } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { written } from "./files.ts";

interface Rpc {
  readonly id: number;
  readonly params: unknown;
}

/** Holds back replies until two are ready, and sends them in one frame behind a push. */
function startBundling(t: Cleanup, bundle: (messages: readonly string[]) => string | Uint8Array): Promise<Upstream> {
  const ready: string[] = [];
  return startUpstream({
    t,
    onMessage: (message, connection) => {
      const { id, params } = JSON.parse(String(message).replace(/\0$/, "")) as Rpc;
      ready.push(JSON.stringify({ jsonrpc: "2.0", id, result: params }));
      if (ready.length === 2) connection.send(bundle(['{"push":1}', ...ready.splice(0)]));
    },
  });
}

async function speaking(t: Cleanup, upstream: Upstream, protocol: unknown, settings: object = {}): Promise<Product> {
  const config = { upstreams: { default: { url: upstream.url, protocol, ...settings } } };
  return startProduct({ config, t });
}

interface JournalPage {
  readonly messages: readonly { readonly data: unknown; readonly encoding?: string }[];
}

async function messagesOf(product: Product, count: number, query = ""): Promise<readonly unknown[]> {
  const page = await until(
    async () => {
      const response = await product.fetch(`/v1/upstreams/default/messages?after=earliest${query}`);
      const { messages } = (await response.json()) as JournalPage;
      return messages.length >= count && messages;
    },
    { what: `${count} messages` },
  );
  return page.map(({ data }) => data);
}

const rpc = (params: unknown) => ({ jsonrpc: "2.0", id: "mine", method: "echo", params });
const echoed = (params: unknown) => ({ jsonrpc: "2.0", id: "mine", result: params });

for (const [what, frames, bundle] of [
  ["lines", { split: "\n" }, (all: readonly string[]) => `${all.join("\n")}\n`],
  ["pieces that end with NUL", { split: "\u0000" }, (all: readonly string[]) => `${all.join("\0")}\0`],
  ["an array", { split: "array" }, (all: readonly string[]) => `[${all.join(", ")}]`],
  ["compressed lines", { split: "\n", inflate: "gzip" }, (all: readonly string[]) => gzipSync(all.join("\n"))],
] as const) {
  test(`two replies and a push in one frame, as ${what}, each go to their own`, async (t) => {
    const upstream = await startBundling(t, bundle);
    const product = await speaking(t, upstream, { preset: "json-rpc", frames });
    const replies = await Promise.all([1, 2].map(async (n) => (await product.request(rpc(n))).json()));
    assert.deepEqual(replies, [echoed(1), echoed(2)]);
    assert.deepEqual(await messagesOf(product, 1), [{ push: 1 }]);
  });
}

describe("a hub whose messages end with U+001E", () => {
  const RS = "\u001e";

  /** As SignalR: answers the handshake and greets in the same frame, and echoes invocations behind a push. */
  function startHub(t: Cleanup): Promise<Upstream> {
    return startUpstream({
      t,
      onMessage: (message, connection) => {
        assert.ok(String(message).endsWith(RS), "each message ends with the separator");
        for (const text of String(message).split(RS).filter(Boolean)) {
          const { protocol, invocationId, value } = JSON.parse(text);
          if (protocol) connection.send(`{}${RS}{"type":1,"target":"welcome"}${RS}`);
          else
            connection.send(
              `{"type":1,"target":"push"}${RS}{"type":3,"invocationId":"${invocationId}","result":${value}}${RS}`,
            );
        }
      },
    });
  }

  test("is greeted, and its replies and messages told apart, on every connection", async (t) => {
    const upstream = await startHub(t);
    const id = { out: "/invocationId", in: "/invocationId", kind: "string" };
    const product = await speaking(
      t,
      upstream,
      { preset: "json", id, frames: { split: RS } },
      {
        greeting: [{ send: { protocol: "json", version: 1 } }, { expect: { has: [""] } }],
        reconnect: { from: "20ms" },
      },
    );
    const invoke = async (value: number) => (await product.request({ type: 1, value })).json();
    assert.deepEqual(await Promise.all([invoke(1), invoke(2)]), [
      { type: 3, result: 1 },
      { type: 3, result: 2 },
    ]);
    const targets = (await messagesOf(product, 3)).map((data) => (data as { target: string }).target);
    assert.deepEqual(targets, ["welcome", "push", "push"]);
    upstream.last.kill();
    await until(() => upstream.connections.length === 2, { what: "the next connection" });
    await product.ready();
    assert.deepEqual(await invoke(3), { type: 3, result: 3 });
  });

  test("is spoken by a module whose decode returns a list", async (t) => {
    const upstream = await startHub(t);
    const protocol = await written(
      t,
      "hub.mjs",
      `const RS = "\\u001e";
      const one = (text) => {
        const message = JSON.parse(text);
        if (message.type !== 3) return { type: "message", render: () => text };
        return { type: "reply", id: Number(message.invocationId), render: () => text };
      };
      export default {
        name: "hub",
        encode: (message, id) => ({ frame: JSON.stringify({ ...JSON.parse(message), invocationId: String(id) }) + RS }),
        decode: (frame) => frame.split(RS).filter(Boolean).map(one),
      };`,
    );
    const product = await speaking(t, upstream, protocol);
    const replies = await Promise.all(
      [1, 2].map(
        async (value) =>
          ((await (await product.request({ type: 1, value })).json()) as Rpc & { result: unknown }).result,
      ),
    );
    assert.deepEqual(replies, [1, 2]);
    assert.deepEqual(await messagesOf(product, 2), [
      { type: 1, target: "push" },
      { type: 1, target: "push" },
    ]);
  });
});

test("a frame that cannot be inflated is noise, kept as it came, and no reply", async (t) => {
  const upstream = await startUpstream({
    t,
    onMessage: (message, connection) => {
      connection.send(Buffer.from("rubbish"));
      connection.send(gzipSync(`+${message}`));
    },
  });
  const product = await speaking(t, upstream, { preset: "text", frames: { inflate: "gzip" } });
  const response = await product.request("hello", { headers: { "content-type": "text/plain" } });
  assert.equal(await response.text(), "+hello");
  assert.match(response.headers.get("content-type") ?? "", /^text\/plain/);
  assert.deepEqual(await messagesOf(product, 1), [Buffer.from("rubbish").toString("base64")]);
  assert.equal(((await product.state()).counters as { noise: number }).noise, 1);
});

test("a time-out says why the framing took the last frame for noise", async (t) => {
  const upstream = await startUpstream({
    t,
    onMessage: (_, connection) => connection.send(Buffer.from("rubbish")),
  });
  const product = await speaking(t, upstream, { preset: "json", frames: { inflate: "gzip" } });
  const response = await product.post("/v1/upstreams/default/request?timeout=300ms", { type: "get" });
  const { heard, detail } = (await response.json()) as { heard: Record<string, unknown>; detail: string };
  assert.deepEqual(heard, { frames: 1, last: "rubbish", why: "the frame cannot be inflated (Z_DATA_ERROR)" });
  assert.match(detail, /the last: rubbish \(the frame cannot be inflated \(Z_DATA_ERROR\)\)/);
});

test("JSON in binary frames is JSON: replies, subscriptions, filters and readers see values", async (t) => {
  const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));
  const upstream = await startUpstream({
    t,
    onMessage: (message, connection) => {
      connection.send(bytes({ id: JSON.parse(String(message)).id, ok: true }));
      connection.send(bytes({ topic: "mine", n: 1 }));
      connection.send(bytes({ topic: "other", n: 2 }));
      connection.send(Buffer.from([0, 255, 1]));
    },
  });
  const product = await speaking(t, upstream, "json", {
    subscriptions: { mine: { request: { op: "subscribe" }, match: { "/topic": "mine" } } },
  });
  await messagesOf(product, 2);
  const response = await product.request({ op: "get" });
  assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
  assert.deepEqual(await response.json(), { ok: true });
  assert.deepEqual((await messagesOf(product, 4)).slice(0, 2), [{ topic: "other", n: 2 }, "AP8B"]);
  assert.deepEqual(await messagesOf(product, 2, "&where=/topic=other"), [
    { topic: "other", n: 2 },
    { topic: "other", n: 2 },
  ]);
  const own = await product.fetch("/v1/upstreams/default/subscriptions/mine/messages?after=earliest");
  const page = (await own.json()) as JournalPage;
  assert.deepEqual(page.messages[0]?.data, { topic: "mine", n: 1 });
});
