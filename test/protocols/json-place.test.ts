/** Tests of the walk that follows a pointer. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Check, check, type Span } from "../../src/protocols/json-check.ts";
import { locate, type Place, type Pointer, parsePointer, Walk } from "../../src/protocols/json-place.ts";
import { elements, kindOf, members } from "../../src/protocols/json-text.ts";
import { jsonText } from "./json-samples.ts";

/** Follows a pointer token by token, and so scans deep values many times over. */
function simply(text: string, root: Span, pointer: Pointer): Place {
  let value = root;
  let holder: { readonly object: Span; readonly key: string } | undefined;
  for (const [depth, token] of pointer.entries()) {
    const rest = pointer.slice(depth);
    const kind = kindOf(text, value);
    let child: Span | undefined;
    if (kind === "array" && /^(?:0|[1-9]\d*)$/.test(token)) child = [...elements(text, value)][Number(token)];
    if (kind === "object") {
      const found = [...members(text, value)].filter(({ key }) => key === token);
      if (found.length > 1) return { type: "duplicate", key: token };
      child = found[0]?.value;
      if (child === undefined) return { type: "missing", parent: value, rest };
    }
    if (child === undefined) return { type: "blocked", value, rest };
    holder = kind === "object" ? { object: value, key: token } : undefined;
    value = child;
  }
  return { type: "found", value, holder };
}

/** Few keys and short arrays, so that pointers find something, and duplicates. */
const nested: fc.Arbitrary<string> = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constantFrom("1", "null", '"a"', '"]}"', "{}", "[ ]", "-1.5e3", '"\\"\\\\"'),
    fc.array(tie("json"), { maxLength: 3 }).map((items) => `[ ${items.join(" , ")}]`),
    fc
      .array(fc.tuple(fc.constantFrom("a", "b", "1", "\\u0061"), tie("json")), { maxLength: 3 })
      .map((all) => `{${all.map(([key, value]) => `"${key}" :${value}`).join(",\n")} }`),
  ),
})).json;
const pointers = fc.array(fc.constantFrom("a", "b", "0", "1", "2", "01"), { maxLength: 5 });

test("one walk finds what following the pointer token by token finds", () => {
  const anyText = fc.oneof({ weight: 5, arbitrary: nested }, { weight: 1, arbitrary: jsonText });
  fc.assert(
    fc.property(anyText, pointers, (text, pointer) => {
      const root = check(text);
      assert.deepEqual(locate(text, root, pointer), simply(text, root, pointer));
    }),
    { numRuns: 5_000 },
  );
});

test("a walk and a check in steps find what they find at once", () => {
  fc.assert(
    fc.property(nested, pointers, fc.integer({ min: 1, max: 7 }), (text, pointer, step) => {
      const checking = new Check(text);
      for (let until = step; !checking.run(until); until += step) assert.ok(until < text.length + step);
      assert.deepEqual(checking.root, check(text));
      const walk = new Walk(text, checking.root, pointer);
      for (let until = step; !walk.run(until); until += step) assert.ok(until < text.length + step);
      assert.deepEqual(walk.place, locate(text, checking.root, pointer));
    }),
    { numRuns: 2_000 },
  );
});

test("a walk stops at its limit, even inside a value that it goes over", () => {
  const text = `{"a":[${"1,".repeat(1_000)}`;
  const walk = new Walk(text, { start: 0, end: text.length }, ["b"]);
  assert.equal(walk.run(100), false);
  assert.throws(() => walk.run(text.length + 1), RangeError);
});

test("a pointer of a thousand tokens takes no longer than the text is long", () => {
  const depth = 100_000;
  const text = `${'{"x":'.repeat(depth)}1${"}".repeat(depth)}`;
  const pointer = parsePointer("/x".repeat(depth / 2));
  const from = performance.now();
  assert.equal(locate(text, check(text), pointer).type, "found");
  assert.ok(performance.now() - from < 1_000);
});

test("a text that was not checked makes a walk throw instead of running for ever", () => {
  for (const broken of ["[", '{"a', "[[1", '{"a":{', "[1,"]) {
    assert.throws(() => locate(broken, { start: 0, end: broken.length }, ["b"]), RangeError, broken);
  }
});
