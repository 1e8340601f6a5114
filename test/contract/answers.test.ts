/** Answers to upstreams that ask before they let anyone in, and while requests wait. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startProduct } from "../support/product.ts";
import { until } from "../support/until.ts";
import { startUpstream, type Upstream } from "../support/upstream.ts";

const isText = (preset: string) => preset.startsWith("text");
const askOf = (preset: string, n: number) => (isText(preset) ? `ASK ${n}` : JSON.stringify({ type: "ask", id: n, n }));
const toldOf = (preset: string, n: number) => (isText(preset) ? `TOLD ${n}` : JSON.stringify({ n, type: "told" }));

/** The settings of each preset, in which a rule answers; and a message with the reply that its upstream makes. */
function spoken(preset: string) {
  const rule = isText(preset)
    ? { when: "^ASK (?<n>.+)", send: "TOLD $n" }
    : { when: { match: { "/type": "ask" } }, send: { type: "told" }, copy: { "/n": "/n" } };
  const base = { preset, answers: [rule] };
  switch (preset) {
    case "text with ids":
      return { ...base, preset: "text", id: { out: "#$id $message", in: "^(?<cut>#(?<id>[0-9]+) )" } };
    default:
      return base;
  }
}

const MESSAGES: Readonly<Record<string, object>> = {
  "graphql-transport-ws": { type: "subscribe", payload: { query: "{ a }" } },
  "json-rpc": { jsonrpc: "2.0", method: "get" },
};

/** The upstream's reply to a request, which carries the request's id. */
function replyTo(preset: string, message: string): string {
  if (isText(preset)) return message.startsWith("#") ? `${message} got` : `got ${message}`;
  const { id } = JSON.parse(message);
  return JSON.stringify({ id, type: preset === "home-assistant" ? "result" : "complete", result: "got" });
}

/** Asks on every connection before it says hello, and before every reply; goes on only once it has been told. */
function startAsking(preset: string, t: { after(end: () => unknown): void }): Promise<Upstream> {
  const waiting: string[] = [];
  let asked = 0;
  return startUpstream({
    t,
    subprotocol: ([offered]) => offered,
    onConnection(connection) {
      waiting.push(isText(preset) ? "hello" : '{"type":"hello"}');
      connection.send(askOf(preset, ++asked));
    },
    onMessage(message, connection) {
      if (message === toldOf(preset, asked)) return connection.send(waiting.shift());
      waiting.push(replyTo(preset, String(message)));
      connection.send(askOf(preset, ++asked));
    },
  });
}

describe("in front of upstreams that ask first", () => {
  const presets = ["json-rpc", "home-assistant", "graphql-transport-ws", "text", "text with ids"];

  test("presets answer in the greeting and before replies, and nothing else takes what was asked", async (t) => {
    const upstreams: Record<string, Upstream> = {};
    const config: Record<string, object> = {};
    for (const preset of presets) {
      const name = preset.replaceAll(" ", "-");
      const upstream = await startAsking(preset, t);
      upstreams[preset] = upstream;
      // Any frame would do, so that the ask itself must not be taken for it.
      config[name] = { url: upstream.url, protocol: spoken(preset), greeting: [{ expect: { match: {} } }] };
    }
    const product = await startProduct({ config: { upstreams: config }, t });
    await product.ready();
    for (const preset of presets) {
      const name = preset.replaceAll(" ", "-");
      const body = isText(preset) ? "get" : JSON.stringify(MESSAGES[preset] ?? { type: "get" });
      const type = isText(preset) ? "text/plain" : "application/json";
      const response = await product.fetch(`/v1/upstreams/${name}/request`, {
        method: "POST",
        headers: { "content-type": type },
        body,
      });
      const reply = await response.text();
      assert.equal(response.status, 200, `${preset}: ${reply}`);
      assert.match(reply, /got/, preset);
      const told = upstreams[preset]?.texts.filter((text) => text.includes(isText(preset) ? "TOLD" : "told"));
      assert.deepEqual(told, [toldOf(preset, 1), toldOf(preset, 2)], preset);
      const page = await product.fetch(`/v1/upstreams/${name}/messages`);
      assert.deepEqual(((await page.json()) as { messages: unknown[] }).messages, [], preset);
      const state = await (await product.fetch(`/v1/upstreams/${name}`)).json();
      const { counters } = state as { counters: Record<string, number> };
      assert.deepEqual([counters.answered, counters.connects, counters.noise], [2, 1, 0], preset);
    }
  });
});

test("an answer waits for no heartbeat, and is no reply to one", async (t) => {
  const upstream = await startUpstream({
    t,
    onMessage: (message, connection) => {
      if (message === "beat") connection.send("PING 1");
    },
  });
  const product = await startProduct({
    config: {
      upstreams: {
        default: {
          url: upstream.url,
          protocol: { preset: "text", reply: "^=", answers: [{ when: "^PING (?<n>.*)", send: "PONG $n" }] },
          keepalive: { heartbeat: { send: "beat", every: "100ms", expect: { text: "^P" }, within: "300ms" } },
          reconnect: { from: "1ms", to: "10ms" },
        },
      },
    },
    t,
  });
  await product.ready();
  await until(() => upstream.texts.includes("PONG 1"), { what: "the answer" });
  await until(() => upstream.connections.length > 1, { what: "the end of a connection whose heartbeat got no reply" });
});

test("a kept request of the upstream that came in the greeting is a message, and answered", async (t) => {
  const upstream = await startUpstream({
    t,
    onConnection: (connection) => connection.send('{"jsonrpc":"2.0","id":1,"method":"who","params":[9]}'),
    onMessage(message, connection) {
      const { method, result } = JSON.parse(String(message));
      if (result === "me") connection.send({ jsonrpc: "2.0", method: "welcome" });
      if (method) connection.send({ jsonrpc: "2.0", id: JSON.parse(String(message)).id, result: "got" });
    },
  });
  const when = { match: { "/method": "who" }, has: ["/id"] };
  const answers = [{ when, send: { jsonrpc: "2.0", result: "me" }, copy: { "/id": "/id" }, keep: true }];
  const product = await startProduct({
    config: {
      upstreams: {
        default: {
          url: upstream.url,
          protocol: { preset: "json-rpc", answers },
          greeting: [{ expect: { has: ["/method"] } }],
        },
      },
    },
    t,
  });
  await product.ready();
  assert.deepEqual(JSON.parse(upstream.texts[0] ?? ""), { jsonrpc: "2.0", id: 1, result: "me" });
  const reply = await product.request({ jsonrpc: "2.0", id: 1, method: "get" });
  assert.deepEqual(await reply.json(), { jsonrpc: "2.0", id: 1, result: "got" });
  const page = await product.fetch("/v1/upstreams/default/messages");
  const { messages } = (await page.json()) as { messages: { data: { params: unknown } }[] };
  assert.deepEqual(
    messages.map(({ data }) => data.params),
    [[9]],
  );
});
