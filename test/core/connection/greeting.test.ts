import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { greetingFrame, matchStep, type StepMatch } from "../../../src/core/connection/greeting.ts";

type Scalar = string | number | boolean | null;
type Rule = Readonly<Record<string, Scalar>>;

function heard(frame: string | Uint8Array, match: Rule, reject?: Rule): StepMatch {
  return matchStep({ expect: { match, within: 5_000, ...(reject && { reject }) } }, frame);
}

const ok: Rule = { "/type": "auth_ok" };
const bad: Rule = { "/type": "auth_invalid" };

test("a frame that has the wanted value matches, whatever else is in it", () => {
  assert.equal(heard('{"type":"auth_ok","version":[1,2]}', ok, bad), "matched");
  assert.equal(heard('\n { "a": {}, "type" : "auth_\\u006fk" } ', ok, bad), "matched");
});

test("a frame that has the rejecting value rejects", () => {
  assert.equal(heard('{"type":"auth_invalid"}', ok, bad), "rejected");
});

test("rejecting comes before matching: a frame that does both is no login", () => {
  assert.equal(heard('{"type":"auth_ok","error":1}', ok, { "/error": 1 }), "rejected");
});

test("any other frame is none of the step's business", () => {
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
  for (const frame of others) assert.equal(heard(frame, ok, bad), "other", frame);
});

test("without a reject rule nothing rejects", () => {
  assert.equal(heard('{"type":"auth_invalid"}', ok), "other");
});

test("every value of a rule must be there, not one of them", () => {
  const both: Rule = { "/type": "result", "/success": true };
  assert.equal(heard('{"type":"result","success":true}', both), "matched");
  assert.equal(heard('{"type":"result","success":false}', both), "other");
  assert.equal(heard('{"success":true}', both), "other");
});

test("a value is compared with its type", () => {
  assert.equal(heard('{"n":1}', { "/n": 1 }), "matched");
  assert.equal(heard('{"n":1.0}', { "/n": 1 }), "matched");
  assert.equal(heard('{"n":"1"}', { "/n": 1 }), "other");
  assert.equal(heard('{"n":true}', { "/n": 1 }), "other");
  assert.equal(heard('{"n":null}', { "/n": null }), "matched");
  assert.equal(heard("{}", { "/n": null }), "other");
  assert.equal(heard('{"n":["a"]}', { "/n": "a" }), "other");
});

test("a pointer reaches into objects and arrays, and its escapes are read as RFC 6901 says", () => {
  assert.equal(heard('{"a":[{"b":7}]}', { "/a/0/b": 7 }), "matched");
  assert.equal(heard('{"a":[{"b":7}]}', { "/a/1/b": 7 }), "other");
  assert.equal(heard('{"a/b":1,"c~d":2,"~1":3,"":4}', { "/a~1b": 1, "/c~0d": 2, "/~01": 3, "/": 4 }), "matched");
});

test("the empty pointer is the whole frame", () => {
  assert.equal(heard('"hello"', { "": "hello" }), "matched");
  assert.equal(heard("null", { "": null }), "matched");
  assert.equal(heard("hello", { "": "hello" }), "other");
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

test("only what the frame itself has is found, nothing that every object inherits", () => {
  for (const pointer of ["/constructor/name", "/toString/name", "/__proto__/constructor/name"]) {
    assert.equal(heard("{}", { [pointer]: "Object" }), "other", pointer);
  }
  assert.equal(heard("[]", { "/__proto__/length": 0 }), "other");
  assert.equal(heard('{"__proto__":{"ok":true}}', { "/__proto__/ok": true }), "matched");
  assert.equal(heard('"text"', { "/length": 4 }), "other");
});

test("a binary frame is read as UTF-8", () => {
  assert.equal(heard(new TextEncoder().encode('{"type":"auth_ok"}'), ok), "matched");
  assert.equal(heard(new Uint8Array([0xff, 0xfe, 0x00]), ok), "other");
});

test("no frame whatever makes it throw", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), fc.uint8Array()), (frame) => {
      assert.ok(["matched", "rejected", "other"].includes(heard(frame, { "/a/b": 1, "": null }, bad)));
    }),
  );
});

test("a text is sent as it is, any other value as its JSON", () => {
  assert.equal(greetingFrame({ send: "HELLO {}" }), "HELLO {}");
  assert.equal(greetingFrame({ send: "" }), "");
  assert.equal(
    greetingFrame({ send: { type: "auth", access_token: "s3cret" } }),
    '{"type":"auth","access_token":"s3cret"}',
  );
  assert.equal(greetingFrame({ send: null }), "null");
  assert.equal(greetingFrame({ send: 7 }), "7");
  assert.equal(greetingFrame({ send: ["a", { b: false }] }), '["a",{"b":false}]');
});
