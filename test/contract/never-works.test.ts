/** Configured frames that can never work, which fail the start instead of waiting for somebody to look at a state. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../../src/config/load.ts";
import { runProduct } from "../support/product.ts";
import { written } from "./files.ts";

const rpc = { jsonrpc: "2.0", method: "subscribe" };
const has = ["/method"];

const MODULE = `export default {
  name: "picky",
  encode() { throw Object.assign(new Error("only commands are sent"), { name: "InvalidMessage" }); },
  decode: () => ({ type: "message" }),
};`;

/** Subscriptions by the name of their fault, with the text that the error has. */
const cases: readonly (readonly [said: string, subscription: object, protocol?: object | string])[] = [
  ["request: can never be sent: the message must be an object, not an array", { request: [rpc], has }],
  ['request: can never be sent: "jsonrpc": "2.0" is missing', { request: { method: "subscribe" }, has }],
  ['unsubscribe: can never be sent: "method" is missing', { request: rpc, unsubscribe: { jsonrpc: "2.0" }, has }],
  ["request: can never be sent: the message is not usable JSON", { request: "SUB", has }, { preset: "json" }],
  [
    "request: can never be sent: this protocol keeps your id",
    { request: {}, has },
    { preset: "json", id: { kind: "keep" } },
  ],
  ["request: can never be sent: the body is empty", { request: "", text: "^a" }, "text"],
  ["id: is missing: $id stands for", { request: rpc, unsubscribe: { ...rpc, params: ["$id"] }, has }],
  ["id: is missing: $id stands for", { request: rpc, any: [{ match: { "/params/id": "$id" } }] }],
];

for (const [said, subscription, protocol = "json-rpc"] of cases) {
  test(`a subscription that can never work is refused: ${said}`, async () => {
    const upstreams = { a: { url: "ws://127.0.0.1:1/", protocol, subscriptions: { s: subscription } } };
    const readFile = async () => JSON.stringify({ upstreams });
    await assert.rejects(loadConfig({ flags: { config: ["c.json"] }, env: {}, readFile }), (error: Error) => {
      assert.ok(error.message.includes(`upstreams.a.subscriptions.s.${said}`), error.message);
      return true;
    });
  });
}

/** Frames of the configuration by the name of their fault, with the settings that have them. */
const frames: readonly (readonly [said: string, settings: object])[] = [
  ["greeting.0.send: can never work: it is not JSON: ", { greeting: [{ send: '{"op": "login"' }] }],
  [
    'greeting.1.send: can never work: "method" is missing',
    { greeting: [{ send: {} }, { send: { jsonrpc: "2.0", id: 1 } }] },
  ],
  ['greeting.0.send: can never work: "jsonrpc" must be "2.0"', { greeting: [{ send: { jsonrpc: 2, method: "a" } }] }],
  [
    'keepalive.heartbeat.send: can never work: "jsonrpc" must be "2.0"',
    { keepalive: { heartbeat: { send: { jsonrpc: "1.0", id: 1, method: "a" } } } },
  ],
  [
    "keepalive.heartbeat.send: can never work: $id stands where this protocol has no id",
    { keepalive: { heartbeat: { send: { ref: "$id" } } } },
  ],
  ["greeting.0.send: can never work: $id stands where", { protocol: "text", greeting: [{ send: "LOGIN $id" }] }],
  [
    "greeting.0.send: can never work: $id stands where",
    { protocol: { preset: "json", id: { out: "/ref" } }, greeting: [{ send: { id: "$id" } }] },
  ],
  [
    'greeting.0.send: can never work: "id" occurs twice',
    { protocol: "json", greeting: [{ send: '{"id": 1, "id": 2}' }] },
  ],
  [
    "protocol.answers.0.send: can never work: it is not JSON",
    { protocol: { preset: "json", answers: [{ when: { has: ["/ping"] }, send: "[pong" }] } },
  ],
];

for (const [said, settings] of frames) {
  test(`a frame of the configuration that can never work is refused: ${said}`, async () => {
    const readFile = async () => JSON.stringify({ upstreams: { a: { url: "ws://127.0.0.1:1/", ...settings } } });
    await assert.rejects(loadConfig({ flags: { config: ["c.json"] }, env: {}, readFile }), (error: Error) => {
      assert.ok(error.message.includes(`upstreams.a.${said}`), error.message);
      return true;
    });
  });
}

test("a frame of the configuration may have another form than the requests of its protocol", async () => {
  const sends = ["ping", "", { op: "login" }, { id: 1 }, { jsonrpc: "2.0", id: "$id", method: "a" }, [1], 7];
  const response = { jsonrpc: "2.0", id: 1, result: {} };
  const readFile = async () => {
    const greeting = [...sends, response].map((send) => ({ send }));
    return JSON.stringify({ upstreams: { a: { url: "ws://127.0.0.1:1/", greeting } } });
  };
  await loadConfig({ flags: { config: ["c.json"] }, env: {}, readFile });
});

test("the start fails over a greeting with an id that a protocol module cannot fill in", async (t) => {
  const protocol = await written(t, "picky.mjs", MODULE);
  const upstream = { url: "ws://127.0.0.1:1/", protocol, greeting: [{ send: { id: "$id" } }] };
  const file = await written(t, "config.json", JSON.stringify({ upstreams: { default: upstream } }));
  const { code, stderr } = await runProduct(["--config", file, "--port", "0"], { t });
  assert.notEqual(code, 0, stderr);
  assert.match(stderr, /greeting\.0\.send can never work: \$id stands where this protocol has no id/);
});

test("check-config fails over a subscription that can never work", async (t) => {
  const subscriptions = { s: { request: [rpc], has } };
  const file = await written(
    t,
    "c.json",
    JSON.stringify({ upstreams: { a: { url: "ws://127.0.0.1:1/", subscriptions } } }),
  );
  const { code, stderr } = await runProduct(["check-config", file], { t });
  assert.equal(code, 2, stderr);
  assert.match(stderr, /c\.json:1:\d+: upstreams\.a\.subscriptions\.s\.request: can never be sent/);
});

test("the start fails over a subscription that a protocol module can never send", async (t) => {
  const protocol = await written(t, "picky.mjs", MODULE);
  const upstream = { url: "ws://127.0.0.1:1/", protocol, subscriptions: { s: { request: {}, has } } };
  const file = await written(t, "config.json", JSON.stringify({ upstreams: { default: upstream } }));
  const { code, stderr } = await runProduct(["--config", file, "--port", "0"], { t });
  assert.notEqual(code, 0, stderr);
  assert.match(stderr, /subscriptions\.s\.request can never be sent: only commands are sent/);
});

/** Pointers of `add`, and the place of the id that each would take away in the protocol, if any. */
const additions: readonly (readonly [pointer: string, protocol: object | string, place: string | undefined])[] = [
  ["/id", "json-rpc", "/id"],
  ["/id/a", "json-rpc", "/id"],
  ["/params/0", "json-rpc", undefined],
  ["/ids", "json-rpc", undefined],
  ["/d", "obs", "/d/requestId"],
  ["/d/other", "obs", undefined],
  ["/b", { preset: "json", id: { in: "/r", out: ["/a", { at: "/b", when: { has: ["/c"] } }] } }, "/b"],
  ["/0", { preset: "json", id: { in: "/1", out: "/1" } }, "/1"],
  ["/1", { preset: "json", id: { in: "/1", out: "/1" } }, "/1"],
  ["/2", { preset: "json", id: { in: "/1", out: "/1" } }, undefined],
  ["/0/x", { preset: "json", id: { in: "/1", out: "/1" } }, undefined],
  ["/10", { preset: "json", id: { in: "/9", out: "/9" } }, undefined],
  ["/-", { preset: "json", id: { in: "/1", out: "/1" } }, undefined],
];

test("what add would put into the place of the id is refused, and what it puts beside is not", async () => {
  for (const [pointer, protocol, place] of additions) {
    const upstreams = { a: { url: "ws://127.0.0.1:1/", protocol, add: { [pointer]: 1 } } };
    const readFile = async () => JSON.stringify({ upstreams });
    const said = await loadConfig({ flags: { config: ["c.json"] }, env: {}, readFile }).then(
      () => undefined,
      (error: Error) => error.message,
    );
    if (place === undefined) assert.equal(said, undefined, pointer);
    else assert.ok(said?.includes(`upstreams.a.add.${pointer}: would replace or move the id at "${place}"`), said);
  }
});
