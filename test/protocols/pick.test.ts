/** Tests of picking one value from a reply. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parsePointer } from "../../src/protocols/json-place.ts";
import { type Picked, pick } from "../../src/protocols/pick.ts";

const at = (reply: string | Uint8Array, pointer: string): Picked => pick(reply, parsePointer(pointer));
const reply =
  `{"jsonrpc":"2.0","id":1,"result":{"price": 1.50 ,"name":"a\\"\\u00fc\\n","no":null,"yes":true,` +
  `"big":12345678901234567890,"list":[1, {"a/b":[] }]}}`;

const found: readonly (readonly [pointer: string, text: string])[] = [
  ["/result/price", "1.50"],
  ["/result/name", 'a"ü\n'],
  ["/result/no", "null"],
  ["/result/yes", "true"],
  ["/result/big", "12345678901234567890"],
  ["/result/list", '[1, {"a/b":[] }]'],
  ["/result/list/1/a~1b", "[]"],
  ["", reply],
];
for (const [pointer, text] of found) {
  test(`"${pointer}" gives ${text.slice(0, 30)}`, () => assert.deepEqual(at(reply, pointer), { text }));
}

const nothing: readonly (readonly [pointer: string, why: RegExp])[] = [
  ["/result/cost", /^the reply has nothing at "\/result\/cost": "\/result" is an object with "price", "name",/],
  ["/results", /nothing at "\/results": it is an object with "jsonrpc", "id", "result"$/],
  ["/result/list/2", /"\/result\/list" is an array of 2$/],
  ["/result/list/x~1y", /nothing at "\/result\/list\/x~1y": "\/result\/list" is an array of 2$/],
  ["/result/price/eur/cent", /"\/result\/price" is a number$/],
];
for (const [pointer, why] of nothing) {
  test(`"${pointer}" leads nowhere, and the error describes what is there`, () => {
    const picked = at(reply, pointer);
    assert.match("why" in picked ? picked.why : assert.fail(picked.text), why);
  });
}

test("an upstream's error is the reason for a missing value, and can be picked itself", () => {
  for (const result of ["", '"result":null,']) {
    const failed = `{"id":1,${result}"error":{"code":-32601,"message":"no such method"}}`;
    const why = 'the upstream replied with an error: {"code":-32601,"message":"no such method"}';
    assert.deepEqual(at(failed, "/result"), { why });
    assert.deepEqual(at(failed, "/error/message"), { text: "no such method" });
  }
  assert.deepEqual(at('{"result":null,"error":null}', "/result"), { text: "null" });
  const long = at(`{"error":"${"x".repeat(10_000)}"}`, "/result");
  assert.ok("why" in long && long.why.length < 400);
});

test("a wide object is described by its first keys, each of bounded length", () => {
  const wide = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`${n}${"k".repeat(1_000)}`, n]));
  const picked = at(JSON.stringify({ wide }), "/wide/none");
  assert.ok("why" in picked && picked.why.length < 700 && picked.why.endsWith("…"), JSON.stringify(picked));
});

test("a duplicate key on the way and a reply that is not JSON are errors", () => {
  assert.deepEqual(at('{"a":1,"a":2}', "/a"), { why: 'the reply has "a" twice on the way' });
  const picked = at("PONG", "/a");
  assert.match("why" in picked ? picked.why : "", /^the reply is not JSON: /);
});

test("bytes are read as text", () => {
  assert.deepEqual(at(new TextEncoder().encode('{"a":"ü"}'), "/a"), { text: "ü" });
});

test("any JSON value is picked: a string without quotes, any other value as written", () => {
  fc.assert(
    fc.property(fc.string(), fc.jsonValue(), (key, value) => {
      const pointer = `/x/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
      const picked = at(JSON.stringify({ x: { [key]: value }, error: null }), pointer);
      const text = typeof value === "string" ? value : JSON.stringify(value);
      assert.deepEqual(picked, { text });
    }),
  );
});

test("a pointer of thousands of tokens that leads nowhere takes no time that grows with their square", () => {
  const began = performance.now();
  const picked = at("{}", "/x".repeat(20_000));
  assert.ok("why" in picked && picked.why.endsWith("it is an empty object"));
  assert.ok(performance.now() - began < 1_000);
});
