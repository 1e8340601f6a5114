/** Conditions and the rules of a URL, by themselves. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Condition,
  compile,
  compileAny,
  compileWhere,
  matchesFrame,
  type Rule,
  type Scalar,
} from "../../src/protocols/condition.ts";
import { check } from "../../src/protocols/json-check.ts";
import { checkedJson, type Json } from "../../src/protocols/json-message.ts";

const jsonOf = (text: string): Json => ({ text, root: check(text) });

const cases: readonly (readonly [condition: Condition, text: string, expected: boolean])[] = [
  [{ match: { "/type": "tick" } }, '{"type":"tick"}', true],
  [{ match: { "/type": "tick" } }, '{"type":"\\u0074ick"}', true],
  [{ match: { "/type": "tick" } }, '{"type":"tock"}', false],
  [{ match: { "/type": "tick" } }, '{"type":["tick"]}', false],
  [{ match: { "/type": "tick" } }, "{}", false],
  [{ match: { "/type": "tick" } }, '{"type":"tick","type":"tick"}', false],
  [{ match: { "/n": 7 } }, '{"n":7.0}', true],
  [{ match: { "/n": 7 } }, '{"n":"7"}', false],
  [{ match: { "/n": "7" } }, '{"n":7}', false],
  [{ match: { "/n": true } }, '{"n":true}', true],
  [{ match: { "/n": true } }, '{"n":"true"}', false],
  [{ match: { "/n": "true" } }, '{"n":true}', false],
  [{ match: { "/n": null } }, '{"n":null}', true],
  [{ match: { "/n": null } }, "{}", false],
  [{ match: { "/n": "$id" } }, '{"n":"$id"}', true],
  [{ match: { "/a/0": 1, "/b": 2 } }, '{"a":[1],"b":2}', true],
  [{ match: { "/a/0": 1, "/b": 2 } }, '{"a":[1],"b":3}', false],
  [{ has: ["/a", "/b/c"] }, '{"a":null,"b":{"c":{}}}', true],
  [{ has: ["/a", "/b/c"] }, '{"a":null,"b":{}}', false],
  [{ lacks: ["/method"] }, '{"id":1}', true],
  [{ lacks: ["/method"] }, '{"method":null}', false],
  [{ match: { "/a": 1 }, has: ["/b"], lacks: ["/c"] }, '{"a":1,"b":1}', true],
  [{ match: { "/a": 1 }, has: ["/b"], lacks: ["/c"] }, '{"a":1,"b":1,"c":1}', false],
  [{ match: { "": 7 } }, "7", true],
  [{ match: { "": 7 } }, " 7 ", true],
  [{ has: ["/a"] }, "[]", false],
];
for (const [condition, text, expected] of cases) {
  test(`${JSON.stringify(condition)} ${expected ? "matches" : "does not match"} ${text}`, () => {
    assert.equal(compile(condition)(jsonOf(text)), expected);
    assert.equal(compile(condition)(checkedJson(text)), expected);
    assert.equal(matchesFrame(text, condition), expected);
    assert.equal(matchesFrame(new TextEncoder().encode(text), condition), expected);
  });
}

test("one of several conditions is enough", () => {
  const json = jsonOf('{"a":2}');
  assert.equal(compileAny([{ match: { "/a": 1 } }, { match: { "/a": 2 } }])(json), true);
  assert.equal(compileAny([{ match: { "/a": 1 } }, { match: { "/a": 3 } }])(json), false);
});

test("a frame that is not JSON meets no condition, not even one of absence", () => {
  for (const frame of ["", "tick", '{"a":', new Uint8Array([0xff])]) {
    assert.equal(matchesFrame(frame, { lacks: ["/a"] }), false);
  }
});

test("an invalid pointer is refused when the condition is compiled", () => {
  for (const condition of [{ match: { a: 1 } }, { has: ["a"] }, { lacks: ["a"] }]) {
    assert.throws(() => compile(condition), /not a JSON pointer/);
  }
  assert.throws(() => compileWhere([{ pointer: "a", value: "1" }]), /not a JSON pointer/);
});

test("an empty condition is refused when it is compiled", () => {
  for (const condition of [{}, { match: {} }, { has: [], lacks: [] }]) {
    assert.throws(() => compile(condition), /the condition is empty/);
    assert.throws(() => compileAny([{ has: ["/a"] }, condition]), /the condition is empty/);
  }
});

test("a placeholder stands for an id as the JSON value that it is", () => {
  const table: readonly (readonly [id: string, value: string, expected: boolean])[] = [
    ["77", "77", true],
    ["77", "77.0", true],
    ["77", '"77"', false],
    ['"77"', "77", false],
    ['"a"', '"\\u0061"', true],
    ['"\\u0061"', '"a"', true],
    ['"a"', '"b"', false],
    ["9007199254740993", "9007199254740993", true],
    ["9007199254740993", "9007199254740992", false],
    ["1e999", "2e999", false],
    ["true", "true", true],
    ["true", '"true"', false],
    ['{"a":1}', '{"a":1}', true],
    ['{"a":1}', '{"a":2}', false],
    ['"$id"', '"$id"', true],
  ];
  const isIts = compile({ match: { "/s": "$id" }, has: ["/s"] }, "$id");
  for (const [id, value, expected] of table) {
    assert.equal(isIts(jsonOf(`{"s":${value}}`), id), expected, `${id} and ${value}`);
  }
  assert.equal(isIts(jsonOf('{"s":"$id"}')), false, "there is no id to compare with");
});

const where: readonly (readonly [rules: readonly Rule[], text: string, expected: boolean])[] = [
  [[{ pointer: "/n", value: "5" }], '{"n":5}', true],
  [[{ pointer: "/n", value: "5" }], '{"n":"5"}', true],
  [[{ pointer: "/n", value: "5" }], '{"n":5.0}', false],
  [[{ pointer: "/n", value: '"5"' }], '{"n":"5"}', true],
  [[{ pointer: "/n", value: '"5"' }], '{"n":5}', false],
  [[{ pointer: "/n", value: "true" }], '{"n":true}', true],
  [[{ pointer: "/n", value: "null" }], '{"n":null}', true],
  [[{ pointer: "/n", value: "" }], '{"n":""}', true],
  [[{ pointer: "/n", value: "" }], "{}", false],
  [[{ pointer: "/n", value: "[1]" }], '{"n":[1]}', true],
  [[{ pointer: "/n", value: "tick" }], '{"n":"\\u0074ick"}', true],
  [[{ pointer: "", value: "7" }], " 7\n", true],
  [
    [
      { pointer: "/n", value: "5" },
      { pointer: "/n", value: "6" },
    ],
    '{"n":5}',
    false,
  ],
  [[], "{}", true],
];
for (const [rules, text, expected] of where) {
  test(`where ${JSON.stringify(rules)} ${expected ? "matches" : "does not match"} ${text}`, () => {
    assert.equal(compileWhere(rules)(checkedJson(text)), expected);
  });
}

test("a scalar matches itself, and no other scalar", () => {
  const scalar: fc.Arbitrary<Scalar> = fc.oneof(
    fc.string(),
    fc.constantFrom("7", "true", "null"),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(7, true, false, null),
  );
  fc.assert(
    fc.property(scalar, scalar, (wanted, value) => {
      const same = wanted === value;
      assert.equal(compile({ match: { "/v": wanted } })(jsonOf(JSON.stringify({ v: value }))), same);
      const isIts = compile({ match: { "/v": "$id" } }, "$id");
      assert.equal(isIts(jsonOf(JSON.stringify({ v: value })), JSON.stringify(wanted)), same);
    }),
  );
});
