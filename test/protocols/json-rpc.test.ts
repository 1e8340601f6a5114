/** Tests of the JSON-RPC protocol. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { callerId, callerIds, jsonRpc, rpcError, rpcErrorCode } from "../../src/protocols/json-rpc.ts";
import { type Body, type Decoded, InvalidMessage } from "../../src/protocols/protocol.ts";
import { codePoint } from "./code-point.ts";
import { jsonText, numberText, strangers, stringText, woundedText } from "./json-samples.ts";

const OURS = 4711;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function reply(frame: Body): Decoded & { type: "reply" } {
  const decoded = jsonRpc.decode(frame);
  assert.ok(decoded.type === "reply", JSON.stringify(decoded));
  return decoded;
}

function refusal(message: Body): InvalidMessage {
  try {
    jsonRpc.encode(message, OURS, "rpc");
  } catch (error) {
    assert.ok(error instanceof InvalidMessage);
    return error;
  }
  return assert.fail(`${String(message)} was accepted`);
}

const idText = fc.oneof(numberText, stringText, fc.constant("null"));
const idKey = fc.constantFrom('"id"', '"\\u0069d"', ' "id" ', '"i\\u0064"\t');
const wellFormed = (text: string): boolean => new TextDecoder().decode(bytes(text)) === text;

test("the caller gets its id back exactly as written, and every other byte as it was", () => {
  fc.assert(
    fc.property(idText, idKey, strangers, strangers, fc.boolean(), (id, key, before, after, binary) => {
      const message = (ownId: string | number, answer: string): string =>
        `{${[...before, '"jsonrpc":"2.0"', `${key}: ${ownId}`, answer, ...after].join(",")}}`;
      const { frame, expectsReply, own } = jsonRpc.encode(message(id, '"method":"echo"'), OURS, "rpc");
      assert.deepEqual([frame, expectsReply, own], [message(OURS, '"method":"echo"'), true, id]);

      // The upstream echoes the request as the result.
      const wanted = message(id, '"result":"echo"');
      const asBytes = binary && wellFormed(wanted);
      const answer = message(OURS, '"result":"echo"');
      const decoded = reply(asBytes ? bytes(answer) : answer);
      assert.equal(decoded.id, OURS);
      assert.deepEqual(decoded.render(own), asBytes ? bytes(wanted) : wanted);
    }),
    { numRuns: 1000 },
  );
});

test("a request without an id borrows ours and never sees it", () => {
  fc.assert(
    fc.property(strangers, (others) => {
      const message = `{${['"jsonrpc":"2.0"', '"method":"echo"', ...others].join(",")}}`;
      const { frame, expectsReply, own } = jsonRpc.encode(message, OURS, "request");
      assert.ok(expectsReply && typeof frame === "string");
      const answer = frame.replace('"method"', '"result"');
      assert.equal(reply(answer).render(own), message.replace('"method"', '"result"'));
    }),
  );
});

test("a message without an id is a notification in mode rpc and is sent unchanged", () => {
  const message = ' {"jsonrpc":"2.0", "method":"log"} ';
  assert.deepEqual(jsonRpc.encode(message, OURS, "rpc"), { frame: message, expectsReply: false });
  assert.equal(jsonRpc.encode(bytes(message), OURS, "rpc").frame, message, "bytes become a text frame");
});

test("a reply of JSON-RPC 1.0, with both members and one of them null, is a reply", () => {
  for (const frame of ['{"id":7,"result":1,"error":null}', '{"id":7,"result":null,"error":{"code":1}}']) {
    assert.equal(jsonRpc.decode(frame).type, "reply", frame);
  }
  assert.equal(jsonRpc.decode('{"id":7,"result":1,"error":{"code":1}}').type, "invalid");
});

test("an explicit null id is a request, in both modes", () => {
  for (const mode of ["rpc", "request"] as const) {
    const { frame, expectsReply, own } = jsonRpc.encode('{"jsonrpc":"2.0","id":null,"method":"m"}', OURS, mode);
    assert.deepEqual([frame, expectsReply], [`{"jsonrpc":"2.0","id":${OURS},"method":"m"}`, true]);
    assert.equal(reply('{"id":4711,"result":1}').render(own), '{"id":null,"result":1}');
  }
});

const refused: readonly (readonly [message: Body, kind: "parse" | "shape", why: RegExp, own?: string])[] = [
  ["", "parse", /found the end at position 0/],
  ["{", "parse", /expected a key/],
  ["\ufeff{}", "parse", /byte order mark/],
  [bytes("\ufeff{}"), "parse", /byte order mark/],
  [new Uint8Array([0x7b, 0xff, 0x7d]), "parse", /not UTF-8/],
  [`{"params":${"[".repeat(1e6)}`, "parse", /nested deeper than 64 levels at position 73/],
  ["null", "shape", /an object, not null/],
  ["[]", "shape", /an object, not an array/],
  ['"{}"', "shape", /an object, not a string/],
  ["{}", "shape", /"jsonrpc": "2.0" is missing/],
  ['{"method":"m","id":1}', "shape", /"jsonrpc": "2.0" is missing/, "1"],
  ['{"jsonrpc":2.0,"method":"m","id":"x"}', "shape", /"jsonrpc" must be "2.0"/, '"x"'],
  ['{"jsonrpc":"1.0","method":"m","id":null}', "shape", /"jsonrpc" must be "2.0"/, "null"],
  ['{"jsonrpc":"2.0","id":9007199254740993}', "shape", /"method" is missing/, "9007199254740993"],
  ['{"jsonrpc":"2.0","id":1,"result":2}', "shape", /"method" is missing/, "1"],
  ['{"jsonrpc":"2.0","id":1,"method":null}', "shape", /"method" must be a string, not null/, "1"],
  ['{"jsonrpc":"2.0","method":"m","id":true}', "shape", /"id" must be .*, not a boolean/],
  ['{"jsonrpc":"2.0","method":"m","id":{}}', "shape", /"id" must be .*, not an object/],
  ['{"jsonrpc":"2.0","method":"m","id":[1]}', "shape", /"id" must be .*, not an array/],
  ['{"jsonrpc":"2.0","method":"m","id":1,"id":1}', "shape", /"id" occurs twice/],
  ['{"jsonrpc":"2.0","method":"m","id":1,"\\u0069\\u0064":2}', "shape", /"id" occurs twice/],
  ['{"jsonrpc":"2.0","method":"m","id":1,"method":"n"}', "shape", /"method" occurs twice/, "1"],
];
for (const [message, kind, why, own] of refused) {
  test(`${JSON.stringify(String(message).slice(0, 60))} is refused: ${kind}`, () => {
    const error = refusal(message);
    assert.match(error.message, why);
    assert.deepEqual([error.kind, error.own], [kind, own]);
  });
}

test("versions and keys with escapes are recognized", () => {
  const message = '{"jsonrp\\u0063":"2\\u002e0","method":"m","id":1}';
  assert.equal(jsonRpc.encode(message, OURS, "rpc").frame, message.replace(":1}", `:${OURS}}`));
});

test("only a top-level id is an id", () => {
  const message =
    '{"jsonrpc":"2.0","params":{"id":1,"id":2,"__proto__":{"id":3}},"method":"m","__proto__":{"id":4},"id":5}';
  assert.equal(jsonRpc.encode(message, OURS, "rpc").frame, message.replace(":5}", `:${OURS}}`));
});

const frames: readonly (readonly [frame: string, type: Decoded["type"]])[] = [
  ['{"jsonrpc":"2.0","id":7,"result":null}', "reply"],
  ['{"id":7,"error":{"code":1}}', "reply"],
  ['{"id":7.0,"result":1}', "reply"],
  ['{"id":7e0,"result":1}', "reply"],
  ['{"id":0.7E+1,"result":1,"sessionId":"s"}', "reply"],
  ['{"\\u0069d":7,"result":1}', "reply"],
  ['{"id":7}', "invalid"],
  ['{"id":7,"result":1,"error":{}}', "invalid"],
  ['{"id":7,"method":"ping"}', "message"],
  ['{"id":7,"method":"ping","result":1}', "message"],
  ['{"method":"tick","params":[]}', "message"],
  ['{"id":null,"error":{"code":-32700}}', "error"],
  ['{"error":{"code":-32700}}', "error"],
  ['{"method":"m","error":{"code":-32700}}', "message"],
  ['{"id":"7","result":1}', "message"],
  ['{"id":-7,"result":1}', "message"],
  ['{"id":-0,"result":1}', "message"],
  ['{"id":7.5,"result":1}', "message"],
  ['{"id":1E400,"result":1}', "message"],
  ['{"id":1e-400,"result":1}', "message"],
  ['{"id":9007199254740993,"result":1}', "message"],
  ['{"id":7.00000000000000000001,"result":1}', "message"],
  ['{"id":[7],"result":1}', "message"],
  ['{"__proto__":{"id":7},"result":1}', "message"],
  ['{"result":1}', "message"],
  ["{}", "message"],
  ["[]", "message"],
  ['[{"id":7,"result":1}]', "message"],
  ['{"id":7,"id":8,"result":1}', "noise"],
  ['{"id":7,"\\u0069d":7,"result":1}', "noise"],
  ['{"id":7,"result":1} x', "noise"],
  ['{"id":7,"result":[}', "noise"],
  ['{"id":7,"result":NaN}', "noise"],
  ['\ufeff{"id":7,"result":1}', "noise"],
  ["", "noise"],
  ["null", "noise"],
  ["7", "noise"],
  ["NaN", "noise"],
  ["{", "noise"],
  ["[".repeat(1e6), "noise"],
];
for (const [frame, type] of frames) {
  test(`the frame ${JSON.stringify(frame.slice(0, 60))} is: ${type}`, () => {
    const decoded = jsonRpc.decode(frame);
    assert.equal(decoded.type, type);
    if (decoded.type === "reply" || decoded.type === "invalid") assert.equal(decoded.id, 7);
    assert.equal(jsonRpc.decode(bytes(frame)).type, type, "bytes are read like text");
  });
}

test("an id is taken for ours only if the number is exactly that integer", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^(0|[1-9]\d{0,15})(\.\d{1,16})?([eE][-+]?\d{1,3})?$/), (written) => {
      const decoded = jsonRpc.decode(`{"id":${written},"result":1}`);
      if (decoded.type !== "reply") return;
      const [, whole = "", fraction = "", power = "0"] = /^(\d+)(?:\.(\d+))?(?:[eE](.+))?$/.exec(written) ?? [];
      // whole.fraction × 10^power = id, in integers.
      const shift = Number(power) - fraction.length;
      const digits = BigInt(whole + fraction);
      const scale = 10n ** BigInt(Math.abs(shift));
      const [left, right] = shift < 0 ? [digits, BigInt(decoded.id) * scale] : [digits * scale, BigInt(decoded.id)];
      assert.equal(left, right);
    }),
    { numRuns: 3000 },
  );
});

test("a reply nested a million levels deep is a reply, unchanged except for its id", () => {
  const deep = "[".repeat(1e6) + "]".repeat(1e6);
  assert.equal(reply(`{"id":7,"result":${deep}}`).render('"mine"'), `{"id":"mine","result":${deep}}`);
});

test("no frame makes decode throw, and no frame without one of our ids becomes a reply", () => {
  fc.assert(
    fc.property(fc.oneof(woundedText, jsonText, fc.string({ unit: codePoint })), (frame) => {
      const decoded = jsonRpc.decode(frame);
      if (decoded.type === "reply" || decoded.type === "invalid") {
        assert.equal((JSON.parse(frame) as { id: unknown }).id, decoded.id);
      }
    }),
    { numRuns: 2000 },
  );
  fc.assert(fc.property(fc.uint8Array(), (frame) => void jsonRpc.decode(frame)));
});

test("a batch is split into its items as written, whatever they are", () => {
  const items = ['{"id" : 1.0}', "7", '"a,b]"', "[]", "null"];
  assert.deepEqual(jsonRpc.split?.(` [ ${items.join(" ,\n")} ] `, 10), items);
  assert.deepEqual(jsonRpc.split?.(bytes("[{}]"), 10), ["{}"]);
  assert.throws(() => jsonRpc.encode("7", OURS, "rpc"), InvalidMessage);
});

test("a message that is not a batch is not split, and an empty or broken batch is refused", () => {
  assert.equal(jsonRpc.split?.('{"a":[1]}', 10), undefined);
  assert.throws(() => jsonRpc.split?.(" [ ] ", 10), {
    name: "InvalidMessage",
    kind: "shape",
    message: "the batch is empty",
  });
  assert.throws(() => jsonRpc.split?.("[{}", 10), { name: "InvalidMessage", kind: "parse" });
});

test("a batch is split no further than one item beyond the limit, and its ids are not collected", () => {
  const batch = `[${'{"id":1},'.repeat(9)}{"id":2}]`;
  assert.equal(jsonRpc.split?.(batch, 10)?.length, 10);
  assert.equal(jsonRpc.split?.(batch, 5)?.length, 6);
  assert.deepEqual(callerIds(batch, 10), [...Array(9).fill("1"), "2"]);
  assert.equal(callerIds(batch, 9), undefined);
  for (const broken of ["[", "[{", "[1,", '["', "[}", "[]]"]) {
    assert.equal(callerIds(broken, 10), undefined, broken);
  }
});

test("an item of a batch may nest as deep as a single message, and no deeper", () => {
  const deep = (levels: number): string =>
    `{"jsonrpc":"2.0","method":"m","params":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;
  const [item = ""] = jsonRpc.split?.(`[${deep(64)}]`, 10) ?? [];
  assert.equal(jsonRpc.encode(item, OURS, "rpc").frame, deep(64));
  assert.throws(() => jsonRpc.split?.(`[${deep(65)}]`, 10), { kind: "parse" });
  assert.throws(() => jsonRpc.encode(deep(65), OURS, "rpc"), { kind: "parse" });
});

test("an error of ours carries the caller's id as written, or null", () => {
  const data = { code: "upstream_down", sent: "no" };
  assert.equal(
    rpcError("1.0", rpcErrorCode.server, 'no "upstream"', data),
    '{"jsonrpc":"2.0","id":1.0,"error":{"code":-32000,"message":"no \\"upstream\\"",' +
      '"data":{"code":"upstream_down","sent":"no"}}}',
  );
  assert.equal(
    rpcError(undefined, rpcErrorCode.parse, "not JSON", undefined),
    '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"not JSON"}}',
  );
});

test("the caller's id is read from any message that has one, and from nothing else", () => {
  fc.assert(fc.property(idText, (id) => assert.equal(callerId(`{"x":{"id":0}, "id" : ${id} }`), id)));
  for (const none of ["", "[]", "7", "{}", '{"id":true}', '{"id":1,"id":2}', '{"id":1', new Uint8Array([0xff])]) {
    assert.equal(callerId(none), undefined);
  }
});

test("a reply to the upstream has the id and the version as the request has them, and one outcome", () => {
  const decoded = jsonRpc.decode('{"id": 1e2, "method": "ask"}');
  assert.deepEqual(decoded, { type: "message", json: true, wantsReply: true });
  const quiet = ['{"method":"note"}', '{"id":null,"method":"ask"}', '{"id":[1],"method":"ask"}'];
  for (const frame of quiet) assert.deepEqual(jsonRpc.decode(frame), { type: "message", json: true }, frame);
  const replyTo = jsonRpc.replyTo?.bind(jsonRpc);
  assert.ok(replyTo);
  assert.equal(replyTo('{"id": 1e2, "method": "ask"}', '{ "result" : 1.0 }'), '{"id":1e2,"result":1.0}');
  const request = bytes('{"jsonrpc":"2.0","id":"a","method":"ask"}');
  const error = '{"code":1,"message":""}';
  assert.deepEqual(replyTo(request, `{"error":${error}}`), bytes(`{"jsonrpc":"2.0","id":"a","error":${error}}`));
  const wrong = ["{}", '{"error":1}', `{"result":1,"error":${error}}`, '{"result":1,"id":1}', "[1]", "1", "{"];
  for (const reply of [...wrong, '{"result":1,"result":2}'])
    assert.throws(() => replyTo(request, reply), InvalidMessage, reply);
});
