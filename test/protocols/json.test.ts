/** Tests of the `json` protocol's ids. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { IdKind } from "../../src/protocols/id-kinds.ts";
import { type JsonOptions, json } from "../../src/protocols/json.ts";
import { type Body, type Decoded, InvalidMessage } from "../../src/protocols/protocol.ts";
import { jsonText, strangers, woundedText } from "./json-samples.ts";

const OURS = 4711;

function frame(message: Body, id?: JsonOptions["id"]): Body {
  return json({ id }).encode(message, OURS, "request").frame;
}

function decode(from: Body, id?: JsonOptions["id"]): Decoded {
  return json({ id }).decode(from);
}

function reply(from: Body, id?: JsonOptions["id"]): Decoded & { type: "reply" } {
  const decoded = decode(from, id);
  assert.ok(decoded.type === "reply", JSON.stringify(decoded));
  return decoded;
}

test("the caller's id comes back exactly as written, and every other byte unchanged", () => {
  const anyKind = fc.constantFrom<IdKind>("int", "int32", "string");
  fc.assert(
    fc.property(jsonText, anyKind, strangers, strangers, (id, kind, before, after) => {
      const message = `{${[...before, `"id":${id}`, ...after].join(",")}}`;
      const protocol = json({ id: { kind } });
      const { frame, own, expectsReply } = protocol.encode(message, OURS, "request");
      assert.ok(expectsReply && typeof frame === "string");
      assert.equal((JSON.parse(frame) as { id: unknown }).id, kind === "string" ? "4711" : OURS);
      const echo = protocol.decode(frame);
      assert.ok(echo.type === "reply");
      assert.deepEqual([echo.id, echo.render(own)], [OURS, message]);
    }),
    { numRuns: 1000 },
  );
});

test("a caller without an id never sees ours", () => {
  fc.assert(
    fc.property(strangers, (members) => {
      const message = `{${members.join(",")}}`;
      const { frame, own } = json().encode(message, OURS, "rpc");
      const seen = reply(frame).render(own) as string;
      assert.equal(seen.replaceAll(/\s/g, ""), message.replaceAll(/\s/g, ""));
    }),
  );
});

test("ids are written and read at the pointers of the settings", () => {
  const id = { out: "/meta/req", in: "/reply/0/ref", kind: "string" } as const;
  assert.equal(frame('{"a":1}', id), '{"meta":{"req":"4711"},"a":1}');
  assert.equal(frame('{"meta":{"b":2}}', id), '{"meta":{"req":"4711","b":2}}');
  assert.equal(frame('{"meta":{"req":[ 1 ]}}', id), '{"meta":{"req":"4711"}}');
  const answer = '{"reply":[{"ref":"4711","v":1}]}';
  assert.equal(reply(answer, id).render("[ 1 ]"), '{"reply":[{"ref":[ 1 ],"v":1}]}');
  assert.equal(reply(answer, id).render(undefined), '{"reply":[{"v":1}]}');
});

test("an id in an array becomes null for a caller without one, so that no element moves", () => {
  assert.equal(reply("[1,4711,{}]", { in: "/1" }).render(undefined), "[1,null,{}]");
  assert.equal(reply("[1,4711,{}]", { in: "/1" }).render('"x"'), '[1,"x",{}]');
});

test("a binary frame is rendered as bytes", () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  assert.deepEqual(reply(bytes('{"id":1,"é":2}')).render('"ü"'), bytes('{"id":"ü","é":2}'));
  assert.equal(frame(bytes('{"é":2}')), '{"id":4711,"é":2}');
});

const refused: readonly (readonly [message: Body, kind: "parse" | "shape", why: RegExp, out?: string])[] = [
  ["", "parse", /found the end/],
  [new Uint8Array([0xff]), "parse", /not UTF-8/],
  ["[".repeat(100), "parse", /nested deeper than 64/],
  ["[{}]", "shape", /no batches/],
  ["7", "shape", /an object, not a number/],
  ['{"id":1,"id":2}', "shape", /"id" occurs twice/],
  ['{"a":{},"\\u0061":{}}', "shape", /"a" occurs twice on the way to "\/a\/id"/, "/a/id"],
  ['{"a":7}', "shape", /no id can be placed at "\/a\/id"/, "/a/id"],
  ['{"a":[7]}', "shape", /no id can be placed at "\/a\/1"/, "/a/1"],
];
for (const [message, kind, why, out] of refused) {
  test(`${JSON.stringify(String(message).slice(0, 40))} is refused: ${kind}`, () => {
    assert.throws(
      () => frame(message, { out }),
      (error) => {
        assert.ok(error instanceof InvalidMessage);
        assert.match(error.message, why);
        return error.kind === kind;
      },
    );
  });
}

const frames: readonly (readonly [kind: IdKind, frame: string, type: Decoded["type"]])[] = [
  ["int", '{"id":7}', "reply"],
  ["int", '{"id":7.0,"method":"m"}', "reply"],
  ["int", '{"id":2147483648}', "reply"],
  ["int", '{"id":"7"}', "message"],
  ["int", '{"id":null}', "message"],
  ["int", '{"x":{"id":7}}', "message"],
  ["int", "[7]", "message"],
  ["int", "7", "message"],
  ["int", '{"id":7,"id":7}', "noise"],
  ["int", '{"id":7', "noise"],
  ["int32", '{"id":2147483647}', "reply"],
  ["int32", '{"id":2147483648}', "message"],
  ["string", '{"id":"7"}', "reply"],
  ["string", '{"id":"\\u0037"}', "reply"],
  ["string", '{"id":"0"}', "reply"],
  ["string", '{"id":7}', "message"],
  ["string", '{"id":"07"}', "message"],
  ["string", '{"id":"7.0"}', "message"],
  ["string", '{"id":" 7"}', "message"],
  ["string", '{"id":""}', "message"],
  ["string", '{"id":"9007199254740993"}', "message"],
];
for (const [kind, from, type] of frames) {
  test(`with ids of kind ${kind} the frame ${from} is: ${type}`, () => {
    assert.equal(decode(from, { kind }).type, type);
  });
}

test("no frame makes decode throw", () => {
  const protocols = [json(), json({ id: { in: "/a/0/id", kind: "string" } })];
  fc.assert(
    fc.property(fc.oneof(woundedText, jsonText, fc.uint8Array()), (from) => {
      for (const protocol of protocols) protocol.decode(from);
    }),
    { numRuns: 1000 },
  );
});

test("ids stay in the range that their kind can carry", () => {
  assert.equal(json({ id: { kind: "int32" } }).maxId, 2147483647);
  assert.equal(json({ id: { kind: "string" } }).maxId, Number.MAX_SAFE_INTEGER);
  assert.equal(json().maxId, Number.MAX_SAFE_INTEGER);
});

test("an invalid pointer, or one to the whole message, is refused when the protocol is built", () => {
  assert.throws(() => json({ id: { out: "id" } }), /is not a JSON pointer/);
  assert.throws(() => json({ id: { in: "" } }), /must name a member/);
});
