/** Tests that a text whose outline is known reads as it does without. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { insertFirst, remove, replace } from "../../src/protocols/json-edit.ts";
import { isJson, readFrame } from "../../src/protocols/json-message.ts";
import { locate, parsePointer } from "../../src/protocols/json-place.ts";
import { jsonRpc } from "../../src/protocols/json-rpc.ts";
import { elements, members } from "../../src/protocols/json-text.ts";
import {
  knowing,
  LARGE_TEXT,
  LOOKED_AT_MAX,
  type Outline,
  outlineInSteps,
  outlineOf,
} from "../../src/protocols/outline.ts";
import type { Body, Decoded } from "../../src/protocols/protocol.ts";

function outlined(text: string): { readonly outline: Outline; readonly steps: number } {
  const steps = outlineInSteps(text);
  for (let count = 1; ; count++) {
    const { done, value } = steps.next();
    if (done) return { outline: value, steps: count };
  }
}

const PAD = `[${"[1,2,{},4],".repeat(10_000)}3]`;

/** JSON with a large value somewhere in it, and maybe cut off. */
const largeText = fc
  .tuple(fc.json({ maxDepth: 3 }), fc.json({ maxDepth: 3 }), fc.constantFrom("", " ", "\n"), fc.boolean())
  .chain(([before, after, space, cut]) =>
    fc
      .constantFrom(
        `{"id":7,"a":${before},${space}"b":${PAD},"c":${after}}`,
        `{"a":{"b":${PAD},"x":${before}},"id":${after}${space}}`,
        `[${before},${PAD},${after}]`,
        `{"id":7,"a":${PAD},"b":${PAD}}`,
        `{"jsonrpc":"2.0","result":${PAD},"id":1,"error":${after}}`,
        `{"id":${before},"id":${PAD}}`,
      )
      .map((text) => (cut ? text.slice(0, -1) : text)),
  );

const POINTERS = ["", "/id", "/a", "/a/b/1", "/a/x", "/b/9000", "/b/40000", "/1/10000", "/2", "/c/0", "/x/y"];

function readings(text: string) {
  const json = readFrame(text);
  if ("why" in json) return { json, is: isJson(text), decoded: shape(jsonRpc.decode(text)) };
  const places = POINTERS.map((pointer) => locate(text, json.root, parsePointer(pointer)));
  const parts = text[json.root.start] === "{" ? [...members(text, json.root)] : [...elements(text, json.root)];
  return { json, is: isJson(text), places, parts, decoded: shape(jsonRpc.decode(text)) };
}

function shape(decoded: Decoded): unknown {
  if (!("render" in decoded)) return decoded;
  const { render, ...rest } = decoded;
  return { ...rest, bodies: [render?.("1e3"), render?.(undefined)] satisfies (Body | undefined)[] };
}

test("a large text reads the same whether its outline is known or not", () => {
  fc.assert(
    fc.property(largeText, (text) => {
      const { outline, steps } = outlined(text);
      assert.ok(steps > 1);
      assert.deepEqual(
        knowing(outline, () => readings(text)),
        readings(text),
      );
    }),
    { numRuns: 20 },
  );
});

test("a text that an edit made of a known one is known as well, and so on", () => {
  fc.assert(
    fc.property(largeText, fc.constantFrom("null", '"name"', "[1,2]"), (text, value) => {
      const { outline } = outlined(text);
      const { root } = outline;
      if ("why" in root || text[root.start] !== "{") return;
      knowing(outline, () => {
        const [first = { key: "", value: root }] = members(text, root);
        for (const edit of [
          ...[...members(text, root)].map((member) => () => replace(text, member.value, value)),
          () => insertFirst(text, root, "new", value),
          () => remove(text, root, first.key),
          ...[...members(text, root)].map(
            ({ value: { end } }) =>
              () =>
                replace(text, { start: end, end }, ',"new":1'),
          ),
          () => insertFirst(remove(text, root, "id"), root, "id", value),
        ]) {
          const result = edit();
          const known = outlineOf(result);
          assert.deepEqual(known, result.length > LARGE_TEXT ? outlined(result).outline : undefined);
          assert.equal(outlineOf(text), outline, "the first one stays known");
          assert.equal(outlineOf(` ${result}`), undefined);
        }
      });
      assert.equal(outlineOf(text), undefined);
    }),
    { numRuns: 50 },
  );
});

test("an outline notes no more than the long values that a pointer can reach", () => {
  const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
  assert.equal(outlined(deep).outline.ends.size, 66);
  const flat = `[${"[],".repeat(100_000)}0]`;
  assert.deepEqual([...outlined(flat).outline.ends], [[0, flat.length]]);
});

test("an object of too many members is noise, and no value is found in it", () => {
  const wide = `{"id":1,${'"a":0,'.repeat(LOOKED_AT_MAX)}"result":2}`;
  assert.ok(wide.length > LARGE_TEXT);
  const { outline } = outlined(wide);
  knowing(outline, () => {
    const decoded = jsonRpc.decode(wide);
    assert.deepEqual([decoded.type, isJson(wide)], ["noise", true]);
    const { root } = outline;
    assert.ok(!("why" in root));
    assert.equal(locate(wide, root, ["id"]).type, "blocked");
    assert.equal(locate(wide, root, []).type, "found");
  });
});

test("an outline is known only while its text is dealt with", () => {
  const { outline } = outlined(`${PAD},`);
  const [known, unknown] = [knowing(outline, () => isJson(PAD)), isJson(PAD)];
  assert.deepEqual([known, unknown], [true, true]);
  const lie = { text: PAD, root: { why: "a lie" }, ends: new Map<number, number>() };
  assert.equal(
    knowing(lie, () => isJson(PAD)),
    false,
  );
  assert.throws(() => knowing(lie, () => assert.fail("thrown")), /thrown/);
  assert.equal(isJson(PAD), true);
});
