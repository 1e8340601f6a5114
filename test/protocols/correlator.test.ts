/** Tests of the `json` protocol's options for frames, apart from the place of ids. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { json } from "../../src/protocols/json.ts";
import type { Decoded } from "../../src/protocols/protocol.ts";
import { type AnsweringOptions, answeringJson } from "./answering-json.ts";
import { jsonText, woundedText } from "./json-samples.ts";

const type = (value: string) => ({ match: { "/type": value } });

/** Every option at once. */
const everything: AnsweringOptions = {
  reply: { lacks: ["/method"] },
  skip: [type("ack"), type("working")],
  final: [type("done"), { has: ["/error"] }],
  collect: { frames: 5 },
  errors: { when: { has: ["/error"] }, do: "fail_oldest" },
  answers: [{ when: type("ping"), send: { type: "pong" }, copy: { "/id": "/id" } }],
};

const frames: readonly (readonly [frame: string, type: Decoded["type"]])[] = [
  ['{"id":7,"method":"m"}', "message"],
  ['{"id":7,"type":"ack"}', "progress"],
  ['{"id":7,"type":"working"}', "progress"],
  ['{"id":7,"type":"row"}', "part"],
  ['{"id":7,"type":"done"}', "reply"],
  ['{"id":7,"error":{}}', "reply"],
  ['{"error":{}}', "error"],
  ['{"id":null,"error":{}}', "error"],
  ['{"id":"7","error":{}}', "error"],
  ['{"type":"tick"}', "message"],
  ['{"id":7,"type":"ping"}', "answer"],
  ['{"type":"ping"}', "answer"],
  ['{"id":7', "noise"],
];
for (const [frame, expected] of frames) {
  test(`with every option, ${frame} is: ${expected}`, () => {
    assert.equal(answeringJson(everything).decode(frame).type, expected);
  });
}

test("a frame before the final one is progress without collect", () => {
  const protocol = json({ final: [type("done")] });
  assert.equal(protocol.decode('{"id":7,"type":"row"}').type, "progress");
  const last = protocol.decode('{"id":7,"type":"done"}');
  assert.ok(last.type === "reply" && last.gather === undefined);
});

test("a gathered reply is an array of all frames, each with the caller's id", () => {
  const { frames, ...rest } = { frames: ['{"id":7,"type":"row","n":1.0}', '{"id":7,"type":"done"}'], ...everything };
  const [part, last] = frames.map((frame) => json(rest).decode(frame));
  assert.ok(part?.type === "part" && last?.type === "reply");
  assert.equal(
    last.gather?.([part.render('"x"'), last.render('"x"')]),
    '[{"id":"x","type":"row","n":1.0},{"id":"x","type":"done"}]',
  );
  assert.equal(
    last.gather?.([part.render(undefined), last.render(undefined)]),
    '[{"type":"row","n":1.0},{"type":"done"}]',
  );
});

test("an error without an id fails the oldest request, all or none, by its option", () => {
  const when = { has: ["/error"] };
  const deed = (what: "fail_oldest" | "fail_all" | "message") =>
    json({ errors: { when, do: what } }).decode('{"error":1}');
  assert.deepEqual(deed("fail_oldest"), { type: "error", fails: "oldest" });
  assert.deepEqual(deed("fail_all"), { type: "error", fails: "all" });
  assert.deepEqual(deed("message"), { type: "message", json: true });
});

test("an answer is its rule's frame, with values copied byte for byte", () => {
  const answers: AnsweringOptions["answers"] = [
    {
      when: type("ping"),
      send: { type: "pong", id: 0 },
      copy: { "/id": "/id", "/at/0": "/none", "/echo/of": "/data" },
    },
    { when: type("hello"), send: "hello yourself" },
  ];
  const answer = (frame: string) => answeringJson({ answers }).decode(frame);
  assert.deepEqual(answer('{"type":"ping","id":9007199254740993,"data":[1, 2]}'), {
    type: "answer",
    frame: '{"echo":{"of":[1, 2]},"type":"pong","id":9007199254740993}',
  });
  assert.deepEqual(answer('{"type":"ping"}'), { type: "answer", frame: '{"type":"pong","id":0}' });
  assert.deepEqual(answer('{"type":"hello"}'), { type: "answer", frame: "hello yourself" });
  assert.deepEqual(answer('{"type":"other"}'), { type: "message", json: true });
});

test("an answer is JSON whatever the upstream's request is", () => {
  const protocol = answeringJson({
    answers: [{ when: { has: [""] }, send: { type: "pong" }, copy: { "/a/b": "/id", "/type": "/type" } }],
  });
  fc.assert(
    fc.property(jsonText, (frame) => {
      const decoded = protocol.decode(frame);
      assert.ok(decoded.type === "answer");
      JSON.parse(String(decoded.frame));
    }),
  );
});

test("no frame makes decode throw under any option", () => {
  const protocol = answeringJson(everything);
  fc.assert(fc.property(fc.oneof(woundedText, jsonText, fc.uint8Array()), (frame) => void protocol.decode(frame)));
});

// Ids of kind keep.

const keep = json({ id: { kind: "keep" } });

test("a kept id travels unchanged, as does every other byte", () => {
  for (const [id, key] of [
    ['"a"', '"a"'],
    ['"\\u0061"', '"a"'],
    ["7", "7"],
    ["7.0", "7"],
    ['"7"', '"7"'],
    ["9007199254740993", "9007199254740993"],
    ["-1.5", "-1.5"],
  ] as const) {
    const message = ` { "id" : ${id}, "n": 1.0 }`;
    const { frame, ...encoded } = keep.encode(message, 4711, "request");
    assert.deepEqual([frame, encoded.id, encoded.expectsReply], [message, key, true]);
    const decoded = keep.decode(message);
    assert.ok(decoded.type === "reply");
    assert.deepEqual([decoded.id, decoded.render(encoded.own)], [key, message]);
  }
});

test("a request must have an id if ids are kept; a message without a reply need not", () => {
  for (const message of ["{}", '{"id":null}', '{"id":[1]}', '{"id":true}']) {
    assert.throws(() => keep.encode(message, 1, "request"), {
      kind: "shape",
      message: /"\/id" must be a string or a number/,
    });
  }
  assert.deepEqual(keep.encode("{}", 1, "send"), { frame: "{}", expectsReply: false });
});

test("the kind of id determines the owner of the ids on the wire", () => {
  const ids = (kind: "int" | "increasing" | "keep") => json({ id: { kind } }).ids;
  assert.deepEqual([ids("int"), ids("increasing"), ids("keep")], ["ours", "increasing", "callers"]);
});
