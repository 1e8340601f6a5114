/** Ids in frames that the configuration sends: no caller meets their replies, and they meet no caller's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Product, startProduct } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";
import { written } from "./files.ts";

interface Call {
  readonly id?: unknown;
  readonly method: string;
  readonly params?: unknown;
}

const call = (method: string, id?: unknown): object => ({ jsonrpc: "2.0", id, method, params: method });

/** Replies with the params; to heartbeats only when it is told to, so that they wait among callers. */
async function startEcho(t: Cleanup): Promise<Upstream & { readonly release: () => void }> {
  const waiting: (() => void)[] = [];
  const upstream = await startUpstream({
    t,
    onMessage: (message, connection) => {
      const { id, method, params } = JSON.parse(String(message)) as Call;
      const reply = () => connection.send({ jsonrpc: "2.0", id, result: params });
      if (method === "beat") waiting.push(reply);
      else reply();
    },
  });
  const release = () => {
    for (const reply of waiting.splice(0)) reply();
  };
  return Object.assign(upstream, { release });
}

function speaking(url: string, settings: object, t: Cleanup): Promise<Product> {
  const reconnect = { from: "20ms", to: "100ms" };
  return startProduct({ config: { upstreams: { default: { url, reconnect, ...settings } } }, t });
}

async function ownReply(product: Product, id: unknown): Promise<void> {
  const nonce = Math.random();
  const response = await product.request({ jsonrpc: "2.0", id, method: "echo", params: nonce });
  assert.deepEqual(await response.json(), { jsonrpc: "2.0", id, result: nonce });
}

const countersOf = async (product: Product) => (await product.state()).counters as Record<string, number>;

for (const id of [1, "beat", "$id"]) {
  test(`a heartbeat with id ${JSON.stringify(id)} gets its own reply, and callers theirs meanwhile`, async (t) => {
    const upstream = await startEcho(t);
    const expect = { match: { "/id": id, "/result": "beat" } };
    const heartbeat = { send: call("beat", id), every: "20ms", within: "20s", expect };
    const product = await speaking(upstream.url, { keepalive: { heartbeat } }, t);
    const beats = () => upstream.texts.filter((text) => text.includes('"beat"')).length;
    for (let round = 1; round <= 3; round++) {
      await until(() => beats() >= round, { what: `heartbeat ${round}` });
      for (const own of [1, id, 2]) await ownReply(product, own);
      upstream.release();
    }
    await until(() => beats() >= 4, { what: "the heartbeat after the last reply" });
    assert.equal(upstream.connections.length, 1);
    assert.deepEqual((await countersOf(product)).messages, 0);
  });
}

test("a greeting with ids is replied to on every connection, and its ids are those of no caller", async (t) => {
  const upstream = await startEcho(t);
  const greeting = [
    { send: call("login", 1) },
    { expect: { match: { "/id": 1, "/result": "login" } } },
    { send: call("hello", "$id") },
    { expect: { match: { "/id": "$id", "/result": "hello" } } },
    { send: call("subscribe", 2) },
  ];
  const product = await speaking(
    upstream.url,
    { greeting, protocol: { preset: "json", id: { kind: "increasing" } } },
    t,
  );
  await product.ready();
  for (const id of [1, 2, "$id"]) await ownReply(product, id);
  upstream.last.kill();
  await until(() => upstream.connections.length === 2, { what: "the next connection" });
  await product.ready();
  for (const id of [1, 2, "$id"]) await ownReply(product, id);
  for (const { texts } of upstream.connections) {
    const ids = texts.map((text) => (JSON.parse(text) as Call).id as number);
    assert.deepEqual(
      ids,
      [...ids].sort((a, b) => a - b),
    );
    assert.equal(new Set(ids).size, 6, ids.join(" "));
  }
  const { messages, late } = await countersOf(product);
  assert.deepEqual([messages, late], [0, 2], "the last step of the greeting expects no reply");
});

test("an answer with an id of its own does not take a caller's reply", async (t) => {
  const upstream = await startUpstream({
    t,
    onMessage: (message, connection) => {
      const { id, method, params } = JSON.parse(String(message)) as Call;
      if (method === "echo") connection.send({ ask: true });
      connection.send({ id, result: params });
    },
  });
  const answers = [{ when: { has: ["/ask"] }, send: { id: 1, method: "tell", params: "told" } }];
  const product = await speaking(upstream.url, { protocol: { preset: "json", answers } }, t);
  for (let n = 0; n < 5; n++) {
    const response = await product.request({ id: 1, method: "echo", params: n });
    assert.deepEqual(await response.json(), { id: 1, result: n });
  }
  await until(async () => (await countersOf(product)).late === 5, { what: "the replies to the answers" });
  assert.equal((await countersOf(product)).messages, 0);
});

test("an id of the heartbeat is refused to callers, where their own ids are on the wire", async (t) => {
  const upstream = await startEcho(t);
  const heartbeat = { send: call("echo", "beat"), every: "20ms", expect: { match: { "/id": "beat" } } };
  const protocol = { preset: "json", id: { kind: "keep" } };
  const product = await speaking(upstream.url, { protocol, keepalive: { heartbeat } }, t);
  await product.ready();
  const refused = await product.request({ id: "beat", params: 1 });
  assert.deepEqual([refused.status, refused.headers.get("sidesocket-sent")], [400, "no"]);
  assert.match(await refused.text(), /greeting or heartbeat/);
  await ownReply(product, "other");
});

test("a module with `adopt` keeps its heartbeat apart from callers", async (t) => {
  const upstream = await startUpstream({ t, onMessage: (message, connection) => connection.send(message) });
  const protocol = await written(
    t,
    "numbered.mjs",
    `const parts = (frame) => /^(\\d+) (.*)$/s.exec(String(frame)) ?? [];
    export default {
      name: "numbered",
      accepts: "any",
      encode: (message, id) => ({ frame: id + " " + message }),
      adopt(frame, id) {
        const [, own, rest] = parts(frame);
        return own && { frame: id + " " + rest, own };
      },
      decode(frame) {
        const [, id, body] = parts(frame);
        return { type: "reply", id: Number(id), render: (own) => (own ? own + " " + body : body) };
      },
    };`,
  );
  const heartbeat = { send: "1 {}", every: "20ms" };
  const product = await speaking(upstream.url, { protocol, keepalive: { heartbeat } }, t);
  for (let n = 0; n < 5; n++) {
    const response = await product.request(`call ${n}`, { headers: { "content-type": "text/plain" } });
    assert.equal(await response.text(), `call ${n}`);
  }
  await until(async () => ((await countersOf(product)).late ?? 0) >= 3, { what: "the replies to heartbeats" });
  assert.equal((await countersOf(product)).messages, 0);
});
