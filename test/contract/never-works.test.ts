/** Subscriptions that can never work, which fail the start instead of waiting for somebody to look at their state. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../../src/config/load.ts";
import { runProduct } from "../support/product.ts";
import { written } from "./files.ts";

const rpc = { jsonrpc: "2.0", method: "subscribe" };
const has = ["/method"];

const MODULE = `export default {
  name: "picky",
  encode() { throw new Error("only commands are sent"); },
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
