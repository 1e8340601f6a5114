/** Tests of the presets for particular services, with frames from their documentation. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { upstreamSchema } from "../../src/config/upstream-settings.ts";
import { preset } from "../../src/protocols/presets.ts";
import type { Decoded, Protocol } from "../../src/protocols/protocol.ts";

function protocolOf(name: string): Protocol {
  const protocol = preset(name)?.protocol;
  assert.ok(typeof protocol === "object", `no preset ${name}`);
  return protocol;
}

const settings = (protocol: unknown, more: object = {}) =>
  upstreamSchema.parse({ url: "wss://example.org/", protocol, ...more });

type Frames = readonly (readonly [frame: string, type: Decoded["type"]])[];

function are(name: string, frames: Frames): void {
  for (const [frame, type] of frames) {
    test(`${frame} is: ${type}`, () => assert.equal(protocolOf(name).decode(frame).type, type));
  }
}

describe("cdp", () => {
  are("cdp", [
    ['{"id":7,"result":{}}', "reply"],
    ['{"id":7,"result":{},"sessionId":"A"}', "reply"],
    ['{"id":7,"error":{"code":-32601,"message":"m"}}', "reply"],
    ['{"method":"Page.loadEventFired","params":{},"sessionId":"A"}', "message"],
    ['{"error":{"code":-32700,"message":"m"}}', "message"],
  ]);

  test("ids fit 32 bits, no jsonrpc member is needed, and sessionId passes", () => {
    const { maxId, encode } = protocolOf("cdp");
    assert.equal(maxId, 2 ** 31 - 1);
    const message = '{"id":"mine","method":"Page.enable","sessionId":"A"}';
    assert.equal(encode(message, 7, "request").frame, '{"id":7,"method":"Page.enable","sessionId":"A"}');
  });
});

describe("graphql-transport-ws", () => {
  are("graphql-transport-ws", [
    ['{"id":"7","type":"next","payload":{"data":{}}}', "part"],
    ['{"id":"7","type":"complete"}', "reply"],
    ['{"id":"7","type":"error","payload":[]}', "reply"],
    ['{"type":"ping"}', "answer"],
    ['{"type":"pong"}', "message"],
  ]);

  test("a ping is answered with its payload, if it has one", () => {
    const answer = (frame: string) => protocolOf("graphql-transport-ws").decode(frame);
    assert.deepEqual(answer('{"type":"ping"}'), { type: "answer", frame: '{"type":"pong"}' });
    const withPayload = answer('{"type":"ping","payload":{"a":1}}');
    assert.ok(withPayload.type === "answer");
    assert.deepEqual(JSON.parse(String(withPayload.frame)), { type: "pong", payload: { a: 1 } });
  });

  test("its subprotocol and greeting apply unless the configuration overrides them", () => {
    const brought = settings("graphql-transport-ws");
    assert.deepEqual(brought.subprotocols, ["graphql-transport-ws"]);
    assert.deepEqual(brought.greeting, [
      { send: { type: "connection_init" } },
      { expect: { match: { "/type": "connection_ack" }, within: 5_000 } },
    ]);
    const [init] = settings({ preset: "graphql-transport-ws", payload: { token: "t" } }).greeting;
    assert.deepEqual(init, { send: { type: "connection_init", payload: { token: "t" } } });
    const own = settings("graphql-transport-ws", { greeting: [], subprotocols: ["other"] });
    assert.deepEqual([own.greeting, own.subprotocols], [[], ["other"]]);
  });

  test("its close codes are classed, and the configuration overrides them one by one", () => {
    const codes = (more: object = {}) => settings("graphql-transport-ws", more).reconnect.codes;
    assert.deepEqual(codes(), { 4406: "refuse", 4409: "slow", 4429: "slow" });
    const mixed = codes({ reconnect: { codes: { 4406: "retry", 4000: "refuse" } } });
    assert.deepEqual(mixed, { 4000: "refuse", 4406: "retry", 4409: "slow", 4429: "slow" });
    assert.deepEqual(settings("json").reconnect.codes, {});
  });
});

describe("home-assistant", () => {
  are("home-assistant", [
    ['{"id":7,"type":"result","success":true,"result":null}', "reply"],
    ['{"id":7,"type":"result","success":false,"error":{"code":"x","message":"m"}}', "reply"],
    ['{"id":7,"type":"pong"}', "reply"],
    ['{"id":7,"type":"event","event":{}}', "progress"],
    ['{"type":"auth_ok","ha_version":"2026.1"}', "message"],
  ]);

  test("its ids increase, and its token produces the greeting", () => {
    assert.equal(protocolOf("home-assistant").ids, "increasing");
    const { greeting } = settings({ preset: "home-assistant", token: "secret" });
    assert.deepEqual(greeting, [
      { expect: { match: { "/type": "auth_required" }, within: 5_000 } },
      { send: { type: "auth", access_token: "secret" } },
      { expect: { match: { "/type": "auth_ok" }, reject: { match: { "/type": "auth_invalid" } }, within: 5_000 } },
    ]);
  });

  test("its greeting is required without a token", () => {
    const parsed = upstreamSchema.safeParse({ url: "wss://example.org/", protocol: "home-assistant" });
    assert.match(parsed.error?.issues[0]?.message ?? "", /needs its token/);
    assert.deepEqual(settings("home-assistant", { greeting: [{ send: "hi" }] }).greeting, [{ send: "hi" }]);
  });
});

describe("obs", () => {
  are("obs", [
    ['{"op":7,"d":{"requestType":"GetVersion","requestId":"7","requestStatus":{"result":true,"code":100}}}', "reply"],
    ['{"op":9,"d":{"requestId":"7","results":[]}}', "reply"],
    ['{"op":5,"d":{"eventType":"StudioModeStateChanged","eventIntent":1}}', "message"],
    ['{"op":5,"d":{"eventType":"VendorEvent","requestId":"7"}}', "message"],
  ]);

  test("its ids are in d, and its greeting identifies us", () => {
    const { frame } = protocolOf("obs").encode('{"op":6,"d":{"requestType":"GetVersion"}}', 7, "request");
    assert.equal(frame, '{"op":6,"d":{"requestId":"7","requestType":"GetVersion"}}');
    const { subprotocols, greeting } = settings({ preset: "obs", events: 0 });
    assert.deepEqual(subprotocols, ["obswebsocket.json"]);
    assert.deepEqual(greeting[1], { send: { op: 1, d: { rpcVersion: 1, eventSubscriptions: 0 } } });
  });
});

describe("discord-gateway", () => {
  const gateway = preset({ preset: "discord-gateway", token: "t" })?.protocol as Protocol;
  const chunk = (index: number, count: unknown) =>
    JSON.stringify({
      op: 0,
      t: "GUILD_MEMBERS_CHUNK",
      s: 1,
      d: { nonce: "7", chunk_index: index, chunk_count: count },
    });

  test("the last chunk ends the reply, and one without a number is the last", () => {
    const types = [chunk(0, 3), chunk(1, 3), chunk(2, 3), chunk(0, 1), chunk(0, undefined)].map(
      (frame) => gateway.decode(frame).type,
    );
    assert.deepEqual(types, ["part", "part", "reply", "reply", "reply"]);
  });

  test("a message of somebody who uses our nonce is a message, and only a request for members gets an id", () => {
    const created = '{"op":0,"t":"MESSAGE_CREATE","s":2,"d":{"nonce":"7","content":"hi"}}';
    assert.equal(gateway.decode(created).type, "message");
    assert.equal(gateway.encode('{"op":8,"d":{}}', 7, "request").frame, '{"op":8,"d":{"nonce":"7"}}');
    assert.throws(() => gateway.encode('{"op":3,"d":{}}', 7, "request"), /gets no reply/);
    assert.equal(gateway.encode('{"op":3,"d":{}}', 7, "send").expectsReply, false);
  });

  test("a heartbeat that is asked for is answered", () => {
    assert.equal(gateway.decode('{"op":1,"d":null,"s":null,"t":null}').type, "answer");
  });
});

describe("janus", () => {
  are("janus", [
    ['{"janus":"ack","session_id":1,"transaction":"7"}', "progress"],
    ['{"janus":"event","session_id":1,"sender":2,"transaction":"7","plugindata":{}}', "reply"],
    ['{"janus":"success","session_id":1,"transaction":"7","data":{"id":2}}', "reply"],
    ['{"janus":"error","transaction":"7","error":{"code":460,"reason":"m"}}', "reply"],
    ['{"janus":"webrtcup","session_id":1,"sender":2}', "message"],
  ]);

  test("the session is the connection's own, and a trickle gets no reply", () => {
    const janus = protocolOf("janus");
    for (const kind of ["create", "destroy", "claim"]) {
      for (const route of ["request", "send"] as const) {
        assert.throws(() => janus.encode(JSON.stringify({ janus: kind }), 7, route), /the session is that of/);
      }
    }
    assert.throws(() => janus.encode('{"janus":"trickle"}', 7, "request"), /send it with \/send/);
    assert.equal(janus.encode('{"janus":"trickle"}', 7, "send").frame, '{"transaction":"7","janus":"trickle"}');
  });

  test("the session and the login go into every message, and into what keeps the session alive", () => {
    const { add, keepalive, greeting } = settings({ preset: "janus", token: "t", password: "p" });
    assert.deepEqual(add, { "/session_id": "${conn:session}", "/token": "t", "/apisecret": "p" });
    const login = { token: "t", apisecret: "p" };
    assert.deepEqual(greeting[0]?.send, { janus: "create", transaction: "create", ...login });
    const session_id = "${conn:session}";
    const alive = { janus: "keepalive", session_id, transaction: "keepalive", ...login };
    assert.deepEqual([keepalive.heartbeat?.send, keepalive.heartbeat?.every], [alive, 30_000]);
    assert.deepEqual(settings("janus").add, { "/session_id": "${conn:session}" });
  });
});

test("what a preset brings for its connections yields to the configuration, null included", () => {
  const discord = { preset: "discord-gateway", token: "t" };
  const brought = settings(discord);
  assert.deepEqual([brought.close_code, brought.reconnect.to_address?.hosts], [4000, ["*.discord.gg"]]);
  assert.equal(brought.reconnect.rotate?.drain, 30_000);
  const own = settings(discord, { close_code: 1000, reconnect: { rotate: null, to_address: null } });
  assert.deepEqual([own.close_code, own.reconnect.rotate, own.reconnect.to_address], [1000, null, null]);
  const aria2 = { preset: "aria2", token: "t" };
  assert.deepEqual([settings(aria2).add, settings(aria2, { add: {} }).add], [{ "/params/0": "token:t" }, {}]);
  const plain = settings("json");
  assert.deepEqual(
    [plain.close_code, plain.reconnect.rotate, plain.reconnect.to_address, plain.add],
    [1001, null, null, {}],
  );
});

test("a preset's secret is not sent over ws:// to another machine", () => {
  for (const protocol of [
    { preset: "home-assistant", token: "secret" },
    { preset: "graphql-transport-ws", payload: { key: "secret" } },
  ]) {
    const over = (url: string) => upstreamSchema.safeParse({ url, protocol }).success;
    assert.deepEqual(
      [over("ws://example.org/"), over("wss://example.org/"), over("ws://127.0.0.1/")],
      [false, true, true],
    );
  }
  assert.ok(upstreamSchema.safeParse({ url: "ws://example.org/", protocol: "graphql-transport-ws" }).success);
});
