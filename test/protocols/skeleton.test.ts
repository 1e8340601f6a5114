/** Skeletons of large texts: random documents, and the classifications that protocols make of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readFrame } from "../../src/protocols/json-message.ts";
import { members } from "../../src/protocols/json-text.ts";
import { preset, presetNames } from "../../src/protocols/presets.ts";
import type { Decoded, Protocol } from "../../src/protocols/protocol.ts";
import { type Skeleton, skeletonInSteps } from "../../src/protocols/skeleton.ts";
import { withConfiguredRules } from "../../src/sidecar/thread/load-protocol.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const NOTHING: ReadonlySet<string> = new Set();

function skeletonOf(text: string, looksInto = NOTHING): Skeleton | undefined {
  const steps = skeletonInSteps(encoder.encode(text), looksInto);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes && decoder.decode(bytes);
}

/** Texts in which the ends of strings are hard to find. */
const awkward = fc
  .array(
    fc.constantFrom(
      "\\",
      '"',
      '\\"',
      "é",
      "漢",
      "😀",
      "]",
      "}",
      "[",
      "{",
      ",",
      ":",
      "\n",
      "\u0000",
      "x".repeat(70),
      "~0",
    ),
    { maxLength: 40 },
  )
  .map((pieces) => pieces.join(""));

const value = fc.oneof(awkward, fc.jsonValue({ maxDepth: 4 }), fc.array(awkward, { maxLength: 30 }));

/** Long enough to lie across the ends of steps, at any offset. */
const long = fc
  .tuple(awkward, fc.nat(400), fc.boolean())
  .map(([text, offset, isText]) =>
    isText
      ? `${"p".repeat(offset)}${text.repeat(1 + Math.ceil(70_000 / (text.length + 1)))}`
      : ["p".repeat(offset), ...Array.from({ length: 1 + Math.ceil(70_000 / (text.length + 8)) }, () => [text, {}])],
  );

const document = fc
  .tuple(
    fc.dictionary(fc.constantFrom("a", "b", "c", "id", "é", 'q"', "back\\"), value, { maxKeys: 5 }),
    fc.constantFrom("large", "id", "é"),
    fc.oneof({ weight: 4, arbitrary: value }, { weight: 1, arbitrary: long }),
    fc.constantFrom(undefined, 1, "\t"),
    fc.boolean(),
  )
  .map(([small, key, large, indent, isArray]) => {
    const { id, ...rest } = small;
    const whole = isArray
      ? [...Object.values(small), large]
      : { ...rest, [key]: large, ...(id !== undefined && { id }) };
    return JSON.stringify(whole, undefined, indent);
  });

test("what a skeleton lacks is put back byte for byte, and is the large values alone", () => {
  fc.assert(
    fc.property(document, (text) => {
      const skeleton = skeletonOf(text);
      if (skeleton === undefined) return;
      assert.equal(textOf(skeleton.expand(skeleton.text)), text);
      const whole: unknown = JSON.parse(text);
      const bones: unknown = JSON.parse(skeleton.text);
      assert.deepEqual(Object.keys(bones as object), Object.keys(whole as object));
      for (const [key, each] of Object.entries(whole as object)) {
        const bone = (bones as Record<string, unknown>)[key];
        const isLarge = JSON.stringify(each).length >= 300;
        if (!isLarge) assert.deepEqual(bone, each);
        assert.equal(Array.isArray(bone), Array.isArray(each));
        assert.equal(typeof bone, typeof each);
      }
    }),
    { numRuns: 1_500 },
  );
});

test("an edit of the skeleton is the same edit of the whole", () => {
  const text = `{"id":7,"result":"${'é\\\\\\"'.repeat(30_000)}","x":[${"[1],".repeat(30_000)}2]}`;
  const skeleton = skeletonOf(text) as Skeleton;
  assert.ok(skeleton.text.length < 100, skeleton.text);
  assert.equal(textOf(skeleton.expand(skeleton.text.replace("7", '"ü"'))), text.replace("7", '"ü"'));
});

test("a text that has a stand-in by chance is not expanded, and neither is one that lost its own", () => {
  const skeleton = skeletonOf(`{"id":7,"result":"${"x".repeat(2_000)}"}`) as Skeleton;
  assert.equal(skeleton.text, '{"id":7,"result":"~0"}');
  assert.equal(skeleton.expand('{"id":"~0","result":"~0"}'), undefined);
  assert.equal(skeleton.expand('{"id":7}'), undefined);
  const taken = skeletonOf(`{"id":"~~0","result":"${"x".repeat(2_000)}"}`) as Skeleton;
  assert.equal(taken.text, '{"id":"~~0","result":"~~~0"}');
});

test("members that are looked into stay, and so does a key, however long", () => {
  const long = "x".repeat(2_000);
  assert.equal(skeletonOf(`{"id":"${long}"}`, new Set(["id"])), undefined);
  assert.equal(skeletonOf(`{"a":1,"${long}":1}`), undefined);
  assert.equal(skeletonOf(`{"\\u0069d":"${long}"}`, new Set(["id"])), undefined);
  assert.equal(skeletonOf(`["${long}",1]`, new Set(["0"])), undefined);
  assert.equal(skeletonOf(`[1,"${long}"]`, new Set(["0"]))?.text, '[1,"~0"]');
});

test("a text of many large values, with much besides or full of marks has no skeleton, and costs little", () => {
  const long = `"${"x".repeat(1_100)}"`;
  assert.equal(skeletonOf(`[${`${long},`.repeat(63)}1]`)?.text.match(/~/g)?.length, 63);
  assert.equal(skeletonOf(`[${`${long},`.repeat(64)}1]`), undefined);
  assert.equal(skeletonOf(`[${long},${"1,".repeat(9_000)}1]`), undefined);
  assert.equal(skeletonOf(`{"${"~".repeat(16_000)}":1,"r":${long}}`), undefined);
});

test("a large value that another kind of bracket ends makes the text none that has a skeleton", () => {
  const many = "1,".repeat(1_000);
  assert.equal(skeletonOf(`{"id":1,"r":[${many}1}}`), undefined);
  assert.equal(skeletonOf(`{"id":1,"r":{"a":[${many}1]]}`), undefined);
});

test("a text without an end has no skeleton, and one that goes on is none that is JSON", () => {
  const whole = `{"id":7,"result":["${'x\\"'.repeat(1_000)}"]}`;
  for (const cut of [1, 2, 3, 4, 1_000]) assert.equal(skeletonOf(whole.slice(0, -cut)), undefined);
  for (const text of ["", " ", "7", '"x"', "nonsense"]) assert.equal(skeletonOf(text), undefined);
  const beyond = skeletonOf(`${whole}}`) as Skeleton;
  assert.ok("why" in readFrame(beyond.text));
});

/** Keys that presets look at, with values of any size and kind. */
const KEYS = ["id", "type", "result", "error", "method", "event", "data", "payload", "op", "ref", "status", "params"];
const large = fc.constantFrom<unknown>("x".repeat(1_500), Array(700).fill(1), {
  id: 3,
  type: "next",
  x: "y".repeat(1_500),
});
const sized = fc.oneof(
  { weight: 3, arbitrary: large },
  {
    weight: 4,
    arbitrary: fc.constantFrom<unknown>(3, "3", null, true, {}, [], 0.5, "next", "complete", "res:", "reply"),
  },
  { weight: 1, arbitrary: fc.constantFrom<unknown>({ id: 3 }, [3], { event_id: "3", response: { id: "3" } }) },
);
const frame = fc.oneof(
  fc.dictionary(fc.constantFrom(...KEYS), sized, { minKeys: 1, maxKeys: 6 }).map((each) => JSON.stringify(each)),
  fc.array(sized, { minLength: 1, maxLength: 6 }).map((each) => JSON.stringify(each)),
);

/** The classification of a frame, with its reply in the caller's form. */
function judged(decoded: Decoded, expand: (text: string) => string | undefined) {
  if (decoded.type !== "reply") return { type: decoded.type };
  const rendered = decoded.render('"own"');
  return { type: decoded.type, id: decoded.id, text: expand(rendered as string) };
}

const wholly = (text: string): string => text;

function agrees(protocol: Protocol, text: string): void {
  const { reads } = protocol.decode;
  const skeleton = reads && skeletonOf(text, reads);
  if (!skeleton) return;
  const of = judged(protocol.decode(skeleton.text), (edited) => textOf(skeleton.expand(edited)));
  assert.deepEqual(of, judged(protocol.decode(text), wholly), `${protocol.name}: ${skeleton.text}`);
}

const configured = [
  { preset: "json", reply: { has: ["/result"] }, final: [{ match: { "/type": "complete" } }], collect: {} },
  {
    preset: "json",
    id: { in: ["/ref", "/data/id"], echo: ["/payload/id"] },
    errors: { when: { has: ["/error"] }, do: "fail_oldest" },
  },
  {
    preset: "json",
    ignore: [{ match: { "/payload/type": "next" } }],
    answers: [{ when: { has: ["/method"] }, send: {} }],
  },
  { preset: "json", id: { in: "/1" } },
  { preset: "json-rpc", errors: { when: { match: { "/data/type": "next" } }, do: "fail_all" } },
] as unknown as Parameters<typeof preset>[0][];

test("every protocol classifies a skeleton as it does the whole", () => {
  const protocols = [...presetNames, ...configured].flatMap((each) => {
    const protocol = preset(each)?.protocol;
    return typeof protocol === "object"
      ? [withConfiguredRules(protocol, each as Parameters<typeof withConfiguredRules>[1])]
      : [];
  });
  const marked = protocols.filter(({ decode }) => decode.reads);
  assert.ok(marked.length >= 15, `${marked.length} protocols`);
  fc.assert(
    fc.property(frame, (text) => {
      for (const protocol of marked) agrees(protocol, text);
    }),
    { numRuns: 400 },
  );
});

test("the members of a skeleton are those of the whole", () => {
  const text = `{"a":1,"b":"${"x".repeat(2_000)}","c":[${"1,".repeat(1_000)}2],"d":{"e":"${"y".repeat(2_000)}"}}`;
  const { text: bones } = skeletonOf(text) as Skeleton;
  const keys = [...members(bones, { start: 0, end: bones.length })].map(({ key }) => key);
  assert.deepEqual(keys, ["a", "b", "c", "d"]);
});
