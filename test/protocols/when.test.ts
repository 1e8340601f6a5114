import assert from "node:assert/strict";
import { test } from "node:test";
import { check } from "../../src/protocols/json-check.ts";
import { anyOf, condition, type When } from "../../src/protocols/when.ts";

function holds(when: When, text: string): boolean {
  return condition(when)({ text, root: check(text) });
}

const cases: readonly (readonly [when: When, text: string, expected: boolean])[] = [
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
  [{ match: { "/a/0": 1, "/b": 2 } }, '{"a":[1],"b":2}', true],
  [{ match: { "/a/0": 1, "/b": 2 } }, '{"a":[1],"b":3}', false],
  [{ has: ["/a", "/b/c"] }, '{"a":null,"b":{"c":{}}}', true],
  [{ has: ["/a", "/b/c"] }, '{"a":null,"b":{}}', false],
  [{ lacks: ["/method"] }, '{"id":1}', true],
  [{ lacks: ["/method"] }, '{"method":null}', false],
  [{ match: { "/a": 1 }, has: ["/b"], lacks: ["/c"] }, '{"a":1,"b":1}', true],
  [{ match: { "/a": 1 }, has: ["/b"], lacks: ["/c"] }, '{"a":1,"b":1,"c":1}', false],
  [{ match: { "": 7 } }, "7", true],
  [{ has: ["/a"] }, "[]", false],
];
for (const [when, text, expected] of cases) {
  test(`${JSON.stringify(when)} ${expected ? "means" : "does not mean"} ${text}`, () => {
    assert.equal(holds(when, text), expected);
  });
}

test("of several conditions one is enough", () => {
  const json = { text: '{"a":2}', root: check('{"a":2}') };
  assert.equal(anyOf([{ match: { "/a": 1 } }, { match: { "/a": 2 } }])(json), true);
  assert.equal(anyOf([{ match: { "/a": 1 } }, { match: { "/a": 3 } }])(json), false);
});

test("a pointer that is none is refused at once", () => {
  for (const when of [{ match: { a: 1 } }, { has: ["a"] }, { lacks: ["a"] }]) {
    assert.throws(() => condition(when), /not a JSON pointer/);
  }
});
