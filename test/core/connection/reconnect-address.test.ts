/** The addresses that an upstream names: which are followed, and why others are not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { addressNaming } from "../../../src/core/connection/reconnect-address.ts";

const when = { match: { "/type": "reconnect" } };
const hosts = ["next.example", "*.gateway.example", "other.example:8443", "127.0.0.1", "first.example"];
const find = addressNaming({ when, at: "/url", hosts });
const secure = { url: "wss://first.example/socket?v=10&token=abcd", allow_plaintext: false };
const plain = { url: "ws://127.0.0.1:9/", allow_plaintext: false };

const named = (url: unknown, from = secure) => find(JSON.stringify({ type: "reconnect", url }), from);

test("an address is followed only to a listed host, and never out of TLS", () => {
  const followed = [
    ["wss://next.example/path?id=1", "wss://next.example/path?id=1"],
    ["wss://next.example:443/?id=1#part", "wss://next.example/?id=1"],
    ["wss://a.b.gateway.example/?x", "wss://a.b.gateway.example/?x"],
    ["wss://other.example:8443/?x", "wss://other.example:8443/?x"],
    ["wss://NEXT.example/?x", "wss://next.example/?x"],
  ];
  for (const [url, expected] of followed) assert.deepEqual(named(url), { url: expected });
  const refused: readonly (readonly [unknown, RegExp])[] = [
    ["wss://next.example:8443/", /^next\.example:8443 is not among its hosts$/],
    ["wss://evil.example/?next.example", /^evil\.example is not among its hosts$/],
    ["wss://gateway.example/", /not among/],
    ["wss://evilgateway.example/", /not among/],
    ["wss://next.example.evil.example/", /not among/],
    ["wss://user:secret@next.example/", /^wss:\/\/next\.example has credentials in it$/],
    ["ws://next.example/", /^ws:\/\/next\.example would leave TLS$/],
    ["ws://first.example/", /^ws:\/\/first\.example would leave TLS$/],
    ["https://next.example/", /^it is not a ws:\/\/ or wss:\/\/ address$/],
    ["/relative", /^it is not a URL$/],
    [`wss://next.example/${"x".repeat(5_000)}`, /^it is not a URL$/],
    [7, /^there is no text at \/url$/],
    [undefined, /^there is no text at \/url$/],
  ];
  for (const [url, why] of refused) {
    const found = named(url);
    assert.ok(found && "why" in found, String(url));
    assert.match(found.why, why);
    assert.doesNotMatch(found.why, /secret/);
  }
});

test("an address without a query gets that of the configuration", () => {
  assert.deepEqual(named("wss://next.example"), { url: "wss://next.example/?v=10&token=abcd" });
});

test("plain text is followed to the same host, or to a listed one where plain text is allowed", () => {
  assert.deepEqual(named("ws://127.0.0.1:80/?a", plain), { url: "ws://127.0.0.1/?a" });
  assert.deepEqual(named("ws://next.example/?a", plain), { why: "ws://next.example would leave TLS" });
  assert.deepEqual(named("ws://next.example/?a", { ...plain, allow_plaintext: true }), { url: "ws://next.example/?a" });
});

test("a frame that does not meet the condition names nothing", () => {
  for (const frame of ['{"type":"other","url":"wss://next.example/"}', "text", new Uint8Array([255])]) {
    assert.equal(find(frame, secure), undefined);
  }
});
