/** Tests of walks over JSON text and of edits. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { check, type Span } from "../../src/protocols/json-check.ts";
import { insertFirst, insertMissing, remove, replace } from "../../src/protocols/json-edit.ts";
import { locate, parsePointer } from "../../src/protocols/json-place.ts";
import { elements, kindOf, members } from "../../src/protocols/json-text.ts";
import { arrayText, jsonText, objectText } from "./json-samples.ts";

const cut = (text: string, { start, end }: Span): string => text.slice(start, end);

/** Returns the members as pairs: an object could hold neither `__proto__` nor duplicates. */
function pairs(text: string): (readonly [key: string, value: string])[] {
  return Array.from(members(text, check(text)), ({ key, value }) => [key, cut(text, value)] as const);
}

function uniqueKeys(text: string): boolean {
  const keys = pairs(text).map(([key]) => key);
  return new Set(keys).size === keys.length;
}

test("members have the keys and values that JSON.parse finds", () => {
  fc.assert(
    fc.property(objectText, (text) => {
      const parsed = new Map(pairs(text).map(([key, value]) => [key, JSON.parse(value) as unknown]));
      assert.deepEqual(parsed, new Map(Object.entries(JSON.parse(text) as object)));
      for (const { key, name } of members(text, check(text))) assert.equal(JSON.parse(cut(text, name)), key);
    }),
  );
});

test("elements have the values that JSON.parse finds", () => {
  fc.assert(
    fc.property(arrayText, (text) => {
      const parsed = Array.from(elements(text, check(text)), (item) => JSON.parse(cut(text, item)) as unknown);
      assert.deepEqual(parsed, JSON.parse(text));
    }),
  );
});

test("every member and element has its kind", () => {
  const text = '{"object":{},"array":[],"string":"","number":-1,"boolean":false,"null":null}';
  for (const { key, value } of members(text, check(text))) assert.equal(kindOf(text, value), key);
  assert.equal(kindOf("[true]", { start: 1, end: 5 }), "boolean");
});

test("a key with escapes equals the key that they encode", () => {
  assert.deepEqual(pairs('{"\\u0069d":1,"\\"":2,"\\\\":3}'), [
    ["id", "1"],
    ['"', "2"],
    ["\\", "3"],
  ]);
});

test("an inserted member comes first and leaves the rest unchanged", () => {
  fc.assert(
    fc.property(objectText, fc.string(), jsonText, (text, key, value) => {
      const after = insertFirst(text, check(text), key, value.trim());
      assert.deepEqual(pairs(after), [[key, value.trim()], ...pairs(text)]);
    }),
  );
});

test("removing an inserted member restores the text byte for byte", () => {
  fc.assert(
    fc.property(objectText, (text) => {
      fc.pre(pairs(text).every(([key]) => key !== "ours"));
      const inserted = insertFirst(text, check(text), "ours", "7");
      const back = remove(inserted, check(inserted), "ours");
      assert.equal(back.replaceAll(/\s/g, ""), text.replaceAll(/\s/g, ""));
      if (pairs(text).length === 0) assert.equal(back, text);
    }),
  );
});

test("removing any member leaves the others", () => {
  fc.assert(
    fc.property(objectText.filter(uniqueKeys), (text) => {
      const all = pairs(text);
      for (const [key] of all) {
        const after = remove(text, check(text), key);
        assert.deepEqual(
          pairs(after),
          all.filter(([other]) => other !== key),
        );
      }
    }),
  );
});

const removals: readonly (readonly [before: string, after: string])[] = [
  ['{"id":1}', "{}"],
  ['{ "id" : 1 }', "{  }"],
  ['{"id":1,"a":2}', '{"a":2}'],
  ['{ "id":1, "a":2 }', '{ "a":2 }'],
  ['{"a":2 , "id":1}', '{"a":2}'],
  ['{"a":2,\n  "id":1\n}', '{"a":2\n}'],
  ['{"a":2, "id":1, "b":3}', '{"a":2, "b":3}'],
  ['{"a":{"id":1}}', '{"a":{"id":1}}'],
  ['{"\\u0069d":1,"a":2}', '{"a":2}'],
];
for (const [before, after] of removals) {
  test(`removing id from ${JSON.stringify(before)} gives ${JSON.stringify(after)}`, () => {
    assert.equal(remove(before, check(before), "id"), after);
  });
}

test("a replaced value changes nothing but itself", () => {
  fc.assert(
    fc.property(objectText, jsonText, (text, by) => {
      for (const { key, value } of members(text, check(text))) {
        const after = replace(text, value, by);
        assert.equal(after, text.slice(0, value.start) + by + text.slice(value.end));
        assert.ok(pairs(after).some(([name, now]) => name === key && now === by.trim()));
      }
    }),
  );
});

const document =
  '{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"i\\\\j":5,"k\\"l":6," ":7,"m~n":8,"x":{"y":{"z":9}},"t":1,"t":2}';
const pointers: readonly (readonly [pointer: string, value: string])[] = [
  ["", document],
  ["/foo", '["bar","baz"]'],
  ["/foo/0", '"bar"'],
  ["/foo/1", '"baz"'],
  ["/", "0"],
  ["/a~1b", "1"],
  ["/c%d", "2"],
  ["/i\\j", "5"],
  ['/k"l', "6"],
  ["/ ", "7"],
  ["/m~0n", "8"],
  ["/x/y/z", "9"],
];
for (const [pointer, value] of pointers) {
  test(`the pointer "${pointer}" of RFC 6901 finds its value`, () => {
    const place = locate(document, check(document), parsePointer(pointer));
    assert.ok(place.type === "found");
    assert.equal(cut(document, place.value), value);
  });
}

test("a pointer that leads nowhere reports the obstacle", () => {
  const root = check(document);
  const type = (pointer: string): string => locate(document, root, parsePointer(pointer)).type;
  assert.equal(type("/nothing"), "missing");
  assert.equal(type("/x/y/nothing/more"), "missing");
  assert.equal(type("/foo/2"), "blocked");
  assert.equal(type("/foo/-"), "blocked");
  assert.equal(type("/foo/01"), "blocked");
  assert.equal(type("/a~1b/c"), "blocked");
  assert.equal(type("/__proto__"), "missing");
  assert.equal(type("/t"), "duplicate");
});

test("a missing place is filled together with the objects on the way", () => {
  const text = '{"a":{ }}';
  const place = locate(text, check(text), parsePointer("/a/b/c~1d"));
  assert.ok(place.type === "missing");
  assert.equal(insertMissing(text, place, "7"), '{"a":{"b":{"c/d":7} }}');
});

test("an invalid pointer is refused", () => {
  for (const wrong of ["id", "#/id", "/a~", "/a~2"]) assert.throws(() => parsePointer(wrong), /is not a JSON pointer/);
});
