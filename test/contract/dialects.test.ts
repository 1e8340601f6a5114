/** Dialects against upstreams that behave as the public description of each says, all behind one service. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Product, startProduct } from "../support/product.ts";
import { type Cleanup, until } from "../support/until.ts";
import { type MessageHandler, startUpstream, type Upstream, type UpstreamConnection } from "../support/upstream.ts";

type Json = Readonly<Record<string, unknown>>;

const parsed = (message: unknown): Json => JSON.parse(String(message)) as Json;

/** Answers each JSON message with frames. */
const answering =
  (frames: (message: Json) => readonly unknown[]): MessageHandler =>
  (message, connection) => {
    for (const frame of frames(parsed(message))) connection.send(frame);
  };

const SIGNALR_END = "\u001e";

interface Server {
  readonly protocol: unknown;
  readonly onMessage: MessageHandler;
  readonly onConnection?: (connection: UpstreamConnection) => void;
  readonly subprotocol?: (offered: readonly string[]) => string | undefined;
}

const SERVERS = {
  kraken: {
    protocol: "kraken",
    onMessage: answering(({ req_id, method }) => [
      { channel: "heartbeat", req_id },
      { method: method === "ping" ? "pong" : method, req_id, success: true },
    ]),
  },
  binance: {
    protocol: "binance",
    onMessage: answering(({ id, method }) => [
      { e: "trade", id, s: "BTCUSDT" },
      { id, status: 200, result: { method } },
    ]),
  },
  xrpl: {
    protocol: "xrpl",
    onMessage: answering(({ id, command }) => [
      { type: "ledgerClosed", id, ledger_index: 7 },
      command === "unknown"
        ? { id, type: "response", status: "error", error: "unknownCmd" }
        : { id, type: "response", status: "success", result: { command } },
    ]),
  },
  bidi: {
    protocol: "webdriver-bidi",
    onMessage: answering(({ id, method }) => [
      { type: "event", method: "log.entryAdded", params: {} },
      { type: "error", id: null, error: "invalid argument", message: "of somebody else" },
      { type: "success", id, result: { method } },
    ]),
  },
  zwave: {
    protocol: { preset: "zwave-js", schema: "35" },
    onConnection: (connection) => connection.send({ type: "version", serverVersion: "1.35.0", maxSchemaVersion: 35 }),
    onMessage: answering(({ messageId, command, schemaVersion }) => [
      { type: "event", event: { source: "node", event: "value updated" } },
      { type: "result", success: command !== "set_api_schema" || schemaVersion === 35, messageId, result: { command } },
    ]),
  },
  deribit: {
    protocol: { preset: "deribit", client_id: "me", client_secret: "the-canary-of-deribit" },
    onMessage: (message, connection) => {
      const { id, method, params } = parsed(message) as { id: unknown; method: string; params: Json };
      const login = params.client_id === "me" && params.client_secret === "the-canary-of-deribit";
      if (method === "public/auth" && !login)
        return connection.send({ jsonrpc: "2.0", id, error: { code: 13004, message: "invalid_credentials" } });
      connection.send({ jsonrpc: "2.0", id, result: method === "public/test" ? { version: "1" } : { method } });
      if (method === "public/set_heartbeat") {
        connection.send({ jsonrpc: "2.0", method: "heartbeat", params: { type: "test_request" } });
      }
    },
  },
  graphql: {
    protocol: "graphql-ws",
    subprotocol: (offered) => offered.find((name) => name === "graphql-ws"),
    onMessage: answering(({ type, id, payload }) => {
      if (type === "connection_init") return [{ type: "connection_ack" }, { type: "ka" }];
      if (type === "stop") return [];
      return [
        { type: "data", id, payload: { data: { hello: (payload as Json).query } } },
        { type: "complete", id },
      ];
    }),
  },
  signalr: {
    protocol: "signalr",
    onMessage: (frame, connection) => {
      for (const text of String(frame).split(SIGNALR_END).slice(0, -1)) {
        const { type, invocationId, protocol, arguments: given } = parsed(text);
        const send = (...all: object[]) =>
          connection.send(all.map((each) => JSON.stringify(each) + SIGNALR_END).join(""));
        if (protocol !== undefined) send(protocol === "json" ? {} : { error: "unknown protocol" });
        if (type === 1) send({ type: 6 }, { type: 3, invocationId, result: given });
        if (type === 4)
          send({ type: 2, invocationId, item: 1 }, { type: 2, invocationId, item: 2 }, { type: 3, invocationId });
      }
    },
  },
  slack: {
    protocol: "slack-socket-mode",
    onConnection: (connection) => {
      connection.send({ type: "hello", num_connections: connection.number, connection_info: { app_id: "A1" } });
      const payload = { event: { type: "app_mention", n: connection.number } };
      connection.send({ type: "events_api", envelope_id: `e-${connection.number}`, payload });
      if (connection.number === 1) connection.send({ type: "disconnect", reason: "refresh_requested" });
    },
    onMessage: () => {},
  },
  socketio: {
    protocol: { preset: "socket.io", auth: '{"token":"t"}' },
    onConnection: (connection) =>
      connection.send('0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000}'),
    onMessage: (message, connection) => {
      const text = String(message);
      if (text === '40{"token":"t"}') {
        connection.send('40{"sid":"b"}');
        connection.send("2");
        connection.send('42["news",{"n":1}]');
      }
      const [, id, data] = /^42(\d+)(.*)$/s.exec(text) ?? [];
      if (id !== undefined) connection.send(`43${id}[${data}]`);
    },
  },
} satisfies Record<string, Server>;

type Name = keyof typeof SERVERS;

describe("a dialect", () => {
  const cleanups: (() => unknown)[] = [];
  const t: Cleanup = { after: (cleanup) => cleanups.push(cleanup) } as Cleanup;
  const upstreams = new Map<string, Upstream>();
  let product: Product;

  before(async () => {
    const settings: Record<string, object> = {};
    for (const [name, server] of Object.entries<Server>(SERVERS)) {
      const { protocol, ...behaviour } = server;
      const upstream = await startUpstream({ t, ...behaviour });
      upstreams.set(name, upstream);
      settings[name] = { url: upstream.url, protocol };
    }
    product = await startProduct({ config: { upstreams: settings }, t });
  });

  after(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
  });

  async function reply(name: Name, message: unknown): Promise<unknown> {
    const body = JSON.stringify(message);
    const headers = { "Content-Type": "application/json" };
    const response = await product.fetch(`/v1/upstreams/${name}/request`, { method: "POST", headers, body });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    assert.match(response.headers.get("content-type") ?? "", /^application\/json/);
    return JSON.parse(text);
  }

  async function messages(name: Name, count: number): Promise<readonly unknown[]> {
    const page = await until(
      async () => {
        const response = await product.fetch(`/v1/upstreams/${name}/messages?after=earliest`);
        const { messages } = (await response.json()) as { messages: readonly { readonly data: unknown }[] };
        return messages.length >= count && messages;
      },
      { what: `${count} messages of ${name}` },
    );
    return page.map(({ data }) => data);
  }

  test("of Slack acknowledges what it keeps, and moves on before a connection is ended", async () => {
    const upstream = upstreams.get("slack");
    assert.ok(upstream);
    await upstream.until(() => upstream.texts.length >= 2, { what: "the acknowledgements of two connections" });
    assert.deepEqual(upstream.texts.map(parsed), [{ envelope_id: "e-1" }, { envelope_id: "e-2" }]);
    const kept = (await messages("slack", 3)).filter((message) => (message as Json).type === "events_api");
    assert.deepEqual(
      kept.map((message) => ((message as Json).payload as { readonly event: { readonly n: number } }).event.n),
      [1, 2],
    );
    upstream.kill();
    await upstream.until(() => upstream.texts.length >= 3, { what: "the acknowledgement after a restart" });
    assert.deepEqual(parsed(upstream.texts.at(-1)), { envelope_id: "e-3" });
  });

  test("of Kraken takes what has a channel for a message", async () => {
    assert.deepEqual(await reply("kraken", { method: "ping", req_id: 9 }), {
      method: "pong",
      req_id: 9,
      success: true,
    });
    const [first] = await messages("kraken", 1);
    assert.equal((first as Json).channel, "heartbeat");
  });

  test("of Binance takes an event for a message", async () => {
    const wanted = { id: "mine", status: 200, result: { method: "time" } };
    assert.deepEqual(await reply("binance", { id: "mine", method: "time" }), wanted);
    assert.equal(((await messages("binance", 1))[0] as Json).e, "trade");
  });

  test("of the XRP Ledger takes errors for replies", async () => {
    const fee = { id: 1, type: "response", status: "success", result: { command: "fee" } };
    assert.deepEqual(await reply("xrpl", { id: 1, command: "fee" }), fee);
    const error = { id: 1, type: "response", status: "error", error: "unknownCmd" };
    assert.deepEqual(await reply("xrpl", { id: 1, command: "unknown" }), error);
  });

  test("of WebDriver BiDi leaves an error of nobody to the messages", async () => {
    const wanted = { type: "success", id: 5, result: { method: "session.status" } };
    assert.deepEqual(await reply("bidi", { id: 5, method: "session.status", params: {} }), wanted);
    const kinds = (await messages("bidi", 2)).map((message) => (message as Json).type);
    assert.deepEqual(kinds, ["event", "error"]);
  });

  test("of Z-Wave JS names the schema in its greeting", async () => {
    const wanted = { type: "result", success: true, messageId: "a", result: { command: "start_listening" } };
    assert.deepEqual(await reply("zwave", { messageId: "a", command: "start_listening" }), wanted);
    const greeting = parsed(upstreams.get("zwave")?.texts[0]);
    assert.deepEqual([greeting.command, greeting.schemaVersion], ["set_api_schema", 35]);
  });

  test("of Deribit logs in, and answers the server's test without showing its secret", async () => {
    const wanted = { jsonrpc: "2.0", id: "mine", result: { method: "public/get_time" } };
    assert.deepEqual(
      await reply("deribit", { jsonrpc: "2.0", id: "mine", method: "public/get_time", params: {} }),
      wanted,
    );
    const methods = () => upstreams.get("deribit")?.texts.map((text) => parsed(text).method) ?? [];
    await until(() => methods().includes("public/test"), { what: "the answer to the test" });
    assert.deepEqual(methods().slice(0, 2), ["public/auth", "public/set_heartbeat"]);
    const state = await product.fetch("/v1/upstreams/deribit");
    assert.doesNotMatch((await state.text()) + product.child.output(), /the-canary-of-deribit/);
  });

  test("of the older GraphQL collects the frames of an operation", async () => {
    const frames = await reply("graphql", { id: "q", type: "start", payload: { query: "{ hello }" } });
    assert.deepEqual(frames, [
      { type: "data", id: "q", payload: { data: { hello: "{ hello }" } } },
      { type: "complete", id: "q" },
    ]);
  });

  test("of SignalR gives a completion alone, and a stream with its items", async () => {
    const invocation = { type: 1, target: "Send", arguments: ["a", 1] };
    assert.deepEqual(await reply("signalr", invocation), { type: 3, result: ["a", 1] });
    assert.deepEqual(await reply("signalr", { type: 4, invocationId: "s", target: "Count", arguments: [] }), [
      { type: 2, invocationId: "s", item: 1 },
      { type: 2, invocationId: "s", item: 2 },
      { type: 3, invocationId: "s" },
    ]);
  });

  test("of Socket.IO sends events, matches acknowledgements, answers pings, and unwraps what comes", async () => {
    const all = await Promise.all(Array.from({ length: 20 }, (_, n) => reply("socketio", ["echo", { n }])));
    assert.deepEqual(
      all,
      Array.from({ length: 20 }, (_, n) => [["echo", { n }]]),
    );
    assert.deepEqual(await messages("socketio", 1), [["news", { n: 1 }]]);
    assert.ok(upstreams.get("socketio")?.texts.includes("3"));
  });

  test("of Socket.IO refuses what is no event, and sends one without an id that expects nothing", async () => {
    const post = (route: string, body: string) =>
      product.fetch(`/v1/upstreams/socketio/${route}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body,
      });
    for (const body of ["{}", "[1]", "[]", '"text"']) {
      const response = await post("request", body);
      assert.equal(response.status, 400, body);
      assert.match(await response.text(), /event/);
    }
    assert.equal((await post("send", '["hello"]')).status, 204);
    await until(() => upstreams.get("socketio")?.texts.includes('42["hello"]'), { what: "the event" });
  });
});
