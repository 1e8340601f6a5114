/** Streams and subscriptions when a member of the cluster, or the message server, is gone. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { type WebSocket, WebSocketServer } from "ws";
import { JetStream, lacksNats } from "../support/jetstream.ts";
import { type Product, startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { ownerOf, RecordingUpstream } from "./scene.ts";

interface Cleanup {
  after(run: () => unknown): void;
}

const SKIP = { skip: lacksNats };

/** A GraphQL server whose subscriptions send a first value, and then nothing until they are completed. */
async function startSubscriptions(t: Cleanup): Promise<{ readonly url: string; readonly open: ReadonlySet<string> }> {
  const open = new Set<string>();
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "graphql-transport-ws" });
  await once(server, "listening");
  t.after(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  const take = (socket: WebSocket, text: string) => {
    const { type, id } = JSON.parse(text) as { readonly type: string; readonly id: string };
    if (type === "connection_init") socket.send(JSON.stringify({ type: "connection_ack" }));
    if (type === "complete") open.delete(id);
    if (type !== "subscribe") return;
    open.add(id);
    socket.send(JSON.stringify({ id, type: "next", payload: { data: { n: 1 } } }));
  };
  server.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.on("message", (data) => take(socket, String(data)));
  });
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, open };
}

/** Two replicas, the owner first. */
async function startPair(t: Cleanup, nats: JetStream, url: string): Promise<readonly [Product, Product]> {
  const cluster = { servers: [nats.url], name: "test", lease: "1s" };
  const config = { cluster, upstreams: { default: { url, protocol: "graphql-transport-ws" } } };
  const [one, other] = await Promise.all([startProduct({ t, config }), startProduct({ t, config })]);
  assert.ok(one && other);
  for (const each of [one, other]) await until(async () => (await each.fetch("/readyz")).ok, { what: "its readiness" });
  return (await ownerOf(one))?.self === true ? [one, other] : [other, one];
}

/** Begins a stream; `ended` tells how it ended. */
async function subscribe(product: Product) {
  const headers = { "content-type": "application/json", accept: "application/x-ndjson" };
  const body = JSON.stringify({ type: "subscribe", payload: { query: "subscription { n }" } });
  const response = await product.fetch("/v1/upstreams/default/request", { method: "POST", headers, body });
  let text = "";
  const ended = { is: false, text: () => text };
  void (async () => {
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response.body ?? []) text += decoder.decode(chunk as Uint8Array);
    } catch {
      // A replica that is killed breaks its responses.
    }
    ended.is = true;
  })();
  await until(() => text.includes('"n":1'), { what: "the first value" });
  return ended;
}

test("a stream ends at the owner when the replica that asked for it is gone", SKIP, async (t) => {
  const nats = await JetStream.start({ t });
  const server = await startSubscriptions(t);
  const [, asker] = await startPair(t, nats, server.url);
  await subscribe(asker);
  await subscribe(asker);
  assert.equal(server.open.size, 2);
  await asker.kill();
  await until(() => server.open.size === 0, { what: "the end of the subscriptions" });
});

test(
  "a stream ends at the replica that asked for it when its owner, or the message server, is gone",
  SKIP,
  async (t) => {
    const nats = await JetStream.start({ t });
    const server = await startSubscriptions(t);
    const [owner, asker] = await startPair(t, nats, server.url);
    const cut = await subscribe(asker);
    await nats.kill();
    await until(() => cut.is, { what: "the end of the stream without the message server" });
    assert.match(cut.text(), /connection_lost/);
    await nats.start();
    await until(async () => (await asker.fetch("/readyz")).ok && (await ownerOf(asker)) !== undefined);
    const owners = await Promise.all([owner, asker].map((each) => ownerOf(each)));
    const [present, other] = owners[0]?.self === true ? [owner, asker] : [asker, owner];
    const lost = await subscribe(other);
    await present.kill();
    await until(() => lost.is, { what: "the end of the stream without its owner" });
    assert.match(lost.text(), /connection_lost/);
  },
);

test(
  "a subscription is requested once on a connection that outlasts an outage of the message server",
  SKIP,
  async (t) => {
    const nats = await JetStream.start({ t });
    const upstream = await RecordingUpstream.start(t);
    const request = { jsonrpc: "2.0", id: 1, method: "subscribe", params: ["sub-news"] };
    const product = await startProduct({
      t,
      config: {
        cluster: { servers: [nats.url], name: "test", lease: "4s" },
        upstreams: {
          default: {
            url: upstream.url,
            protocol: "json-rpc",
            subscriptions: { news: { request, match: { "/method": "news" } } },
          },
        },
      },
    });
    const term = async () => (await ownerOf(product))?.term ?? 0;
    await until(() => upstream.timesOf("sub-news") === 1, { what: "the subscription" });
    const before = await term();
    await nats.kill();
    // Beyond the fence and within the lease: a new term on the same connection.
    const since = performance.now();
    await until(() => performance.now() - since > 2_900, { what: "the fence to fall" });
    await nats.start();
    await until(async () => (await ownerOf(product))?.self === true && (await term()) > before, { what: "a new term" });
    await product.post("/v1/upstreams/default/request?timeout=5s", {
      jsonrpc: "2.0",
      id: 2,
      method: "echo",
      params: ["x"],
    });
    // A machine that was too slow for the lease has made another connection.
    assert.equal(upstream.timesOf("sub-news"), upstream.connections.length);
  },
);
