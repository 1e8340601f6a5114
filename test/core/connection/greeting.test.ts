/** Tests of greeting steps: the verdict of an expect, and the frame of a send. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { greetingFrame, matchStep, type StepMatch } from "../../../src/core/connection/greeting.ts";
import type { Values } from "../../../src/protocols/condition.ts";

function verdictOn(frame: string | Uint8Array, match: Values, reject?: Values): StepMatch {
  return matchStep({ expect: { match, within: 5_000, ...(reject && { reject: { match: reject } }) } }, frame);
}

const ok: Values = { "/type": "auth_ok" };
const bad: Values = { "/type": "auth_invalid" };

test("a frame with the expected value matches, whatever else it has", () => {
  assert.equal(verdictOn('{"type":"auth_ok","version":[1,2]}', ok, bad), "matched");
  assert.equal(verdictOn('\n { "a": {}, "type" : "auth_\\u006fk" } ', ok, bad), "matched");
});

test("a frame with the rejecting value rejects", () => {
  assert.equal(verdictOn('{"type":"auth_invalid"}', ok, bad), "rejected");
});

test("rejecting takes precedence over matching", () => {
  assert.equal(verdictOn('{"type":"auth_ok","error":1}', ok, { "/error": 1 }), "rejected");
});

test("any other frame does not concern the step", () => {
  const others = [
    '{"type":"tick"}',
    "{}",
    "[]",
    "null",
    "7",
    '"auth_ok"',
    "",
    "not json",
    '{"type":',
    '{"TYPE":"auth_ok"}',
  ];
  for (const frame of others) assert.equal(verdictOn(frame, ok, bad), "other", frame);
});

test("a step without reject rejects nothing", () => {
  assert.equal(verdictOn('{"type":"auth_invalid"}', ok), "other");
});

test("every value must match, not just one", () => {
  const both: Values = { "/type": "result", "/success": true };
  assert.equal(verdictOn('{"type":"result","success":true}', both), "matched");
  assert.equal(verdictOn('{"type":"result","success":false}', both), "other");
  assert.equal(verdictOn('{"success":true}', both), "other");
});

test("a value is compared exactly in its JSON type", () => {
  assert.equal(verdictOn('{"n":1}', { "/n": 1 }), "matched");
  assert.equal(verdictOn('{"n":1.0}', { "/n": 1 }), "matched");
  assert.equal(verdictOn('{"n":"1"}', { "/n": 1 }), "other");
  assert.equal(verdictOn('{"n":true}', { "/n": 1 }), "other");
  assert.equal(verdictOn('{"n":null}', { "/n": null }), "matched");
  assert.equal(verdictOn("{}", { "/n": null }), "other");
  assert.equal(verdictOn('{"n":["a"]}', { "/n": "a" }), "other");
});

test("a pointer reaches into objects and arrays, with the escapes of RFC 6901", () => {
  assert.equal(verdictOn('{"a":[{"b":7}]}', { "/a/0/b": 7 }), "matched");
  assert.equal(verdictOn('{"a":[{"b":7}]}', { "/a/1/b": 7 }), "other");
  assert.equal(verdictOn('{"a/b":1,"c~d":2,"~1":3,"":4}', { "/a~1b": 1, "/c~0d": 2, "/~01": 3, "/": 4 }), "matched");
});

test("the empty pointer is the whole frame", () => {
  assert.equal(verdictOn('"hello"', { "": "hello" }), "matched");
  assert.equal(verdictOn("null", { "": null }), "matched");
  assert.equal(verdictOn("hello", { "": "hello" }), "other");
});

test("the empty pointer in `has` takes any frame of JSON", () => {
  const verdict = (frame: string) => matchStep({ expect: { has: [""], within: 5_000 } }, frame);
  assert.deepEqual(["{}", "null", "whatever"].map(verdict), ["matched", "matched", "other"]);
});

test("a step takes all that a condition can say", () => {
  const expect = { match: { "/op": 1 }, has: ["/d"], lacks: ["/error"], within: 5_000 };
  const verdict = (frame: string) => matchStep({ expect }, frame);
  assert.equal(verdict('{"op":1,"d":null}'), "matched");
  for (const frame of ['{"op":1}', '{"op":"1","d":0}', '{"op":1,"d":0,"error":0}']) {
    assert.equal(verdict(frame), "other", frame);
  }
});

test("a pointer finds only members of the frame, none that every object inherits", () => {
  for (const pointer of ["/constructor/name", "/toString/name", "/__proto__/constructor/name"]) {
    assert.equal(verdictOn("{}", { [pointer]: "Object" }), "other", pointer);
  }
  assert.equal(verdictOn("[]", { "/__proto__/length": 0 }), "other");
  assert.equal(verdictOn('{"__proto__":{"ok":true}}', { "/__proto__/ok": true }), "matched");
  assert.equal(verdictOn('"text"', { "/length": 4 }), "other");
});

test("a binary frame is read as UTF-8", () => {
  assert.equal(verdictOn(new TextEncoder().encode('{"type":"auth_ok"}'), ok), "matched");
  assert.equal(verdictOn(new Uint8Array([0xff, 0xfe, 0x00]), ok), "other");
});

test("no frame makes matchStep throw", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), fc.uint8Array()), (frame) => {
      assert.ok(["matched", "rejected", "other"].includes(verdictOn(frame, { "/a/b": 1, "": null }, bad)));
    }),
  );
});

test("a string is sent as is, any other value as its JSON", () => {
  const sentAs = (send: unknown) => greetingFrame({ send }, new Map());
  assert.equal(sentAs("HELLO {}"), "HELLO {}");
  assert.equal(sentAs(""), "");
  assert.equal(sentAs({ type: "auth", access_token: "s3cret" }), '{"type":"auth","access_token":"s3cret"}');
  assert.equal(sentAs(null), "null");
  assert.equal(sentAs(7), "7");
  assert.equal(sentAs(["a", { b: false }]), '["a",{"b":false}]');
});
