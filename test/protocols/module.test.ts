/** Tests of the guard around a user's protocol module. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ProtocolModule } from "../../src/index.ts";
import { fromModule } from "../../src/protocols/presets.ts";
import { type Decoded, InvalidMessage } from "../../src/protocols/protocol.ts";

/** The smallest module. */
const sums = {
  name: "sums",
  encode: (message: string, id: number) => ({ frame: JSON.stringify({ ...(JSON.parse(message) as object), ref: id }) }),
  decode(frame: string) {
    const { ref, ...rest } = JSON.parse(frame) as { ref?: number };
    return ref === undefined ? { type: "message" } : { type: "reply", id: ref, render: () => JSON.stringify(rest) };
  },
} satisfies ProtocolModule;

const decoding = (decode: () => unknown, rest: object = {}): Decoded =>
  fromModule({ default: { ...sums, decode, ...rest } }).decode("frame");

const encoding = (encode: () => unknown): unknown =>
  fromModule({ default: { ...sums, encode } }).encode("{}", 1, "request");

test("a module with a name and two functions is a protocol", () => {
  for (const main of [sums, () => sums]) {
    const protocol = fromModule({ default: main });
    assert.deepEqual([protocol.name, protocol.correlation, protocol.accepts], ["sums", "id", "json"]);
    assert.deepEqual([protocol.maxId, protocol.split], [Number.MAX_SAFE_INTEGER, undefined]);
    const encoded = protocol.encode(new TextEncoder().encode('{"a":1}'), 7, "request");
    assert.deepEqual([encoded.frame, encoded.expectsReply], ['{"a":1,"ref":7}', true]);
    const decoded = protocol.decode('{"ref":7,"sum":3}');
    assert.ok(decoded.type === "reply");
    assert.deepEqual([decoded.id, decoded.render(undefined)], [7, '{"sum":3}']);
    assert.equal(protocol.decode("{}").type, "message");
  }
});

const wrong: readonly (readonly [exports: unknown, why: RegExp])[] = [
  [undefined, /no default export/],
  [{}, /no default export/],
  [{ default: "json-rpc" }, /no default export/],
  [{ default: () => null }, /no default export/],
  [{ default: { ...sums, name: "" } }, /needs a "name"/],
  [{ default: async () => sums }, /needs a "name"/],
  [{ default: { name: "x", decode: sums.decode } }, /needs a function "encode"/],
  [{ default: { name: "x", encode: sums.encode } }, /needs a function "decode"/],
  [{ default: { ...sums, split: true } }, /needs a function "split"/],
  [{ default: { ...sums, correlation: "fifo" } }, /"correlation" must be "id" or "order"/],
  [{ default: { ...sums, accepts: "text" } }, /"accepts" must be "json" or "any"/],
  [{ default: { ...sums, ids: "mine" } }, /"ids" must be "ours" or "increasing" or "callers"/],
  [{ default: { ...sums, ids: "callers", correlation: "order" } }, /"ids" require correlation "id"/],
  [{ default: { ...sums, maxFrames: 0 } }, /"maxFrames" must be a whole number of at least 1/],
  [{ default: { ...sums, maxId: 1.5 } }, /"maxId" must be a whole number of at least 65535/],
  [{ default: { ...sums, maxId: 255 } }, /"maxId" must be a whole number of at least 65535/],
];
for (const [index, [exports, why]] of wrong.entries()) {
  test(`a module that is not a protocol is refused by the member at fault (${index + 1}: ${why.source})`, () => {
    assert.throws(() => fromModule(exports), why);
  });
}

test("a cancel that works returns its frame; one that does not returns none", () => {
  const cancelOf = (cancel: unknown) => fromModule({ default: { ...sums, streams: true, cancel } }).cancel?.(7);
  assert.equal(
    cancelOf((id: number) => `stop ${id}`),
    "stop 7",
  );
  assert.equal(
    cancelOf(() => 7),
    undefined,
  );
  assert.equal(
    cancelOf(() => {
      throw new Error("on purpose");
    }),
    undefined,
  );
});

test("a failure in encode is an invalid message with its reason", () => {
  const own = new InvalidMessage("parse", "not so", "7");
  assert.throws(
    () =>
      encoding(() => {
        throw own;
      }),
    own,
  );
  assert.throws(() => encoding(() => JSON.parse("{")), { name: "InvalidMessage", kind: "shape" });
  assert.throws(
    () =>
      encoding(() => {
        throw "a string";
      }),
    { name: "InvalidMessage", kind: "shape" },
  );
  for (const nonsense of [undefined, null, "frame", {}, { frame: 7 }, Promise.resolve({ frame: "x" })]) {
    assert.throws(() => encoding(() => nonsense), { kind: "shape", message: /returned no frame/ });
  }
  assert.throws(() => fromModule({ default: sums }).encode(new Uint8Array([0xff]), 1, "request"), { kind: "parse" });
});

test("a failure in decode is noise", () => {
  assert.deepEqual(
    decoding(() => {
      throw new Error("oh");
    }),
    { type: "noise", why: "the protocol's decode threw an exception, which is in the log" },
  );
  assert.equal(
    decoding(() => {
      throw null;
    }).type,
    "noise",
  );
  const nonsense = [undefined, "reply", {}, { type: "reply" }, { type: "reply", id: "7" }, { type: "reply", id: -1 }];
  for (const result of [...nonsense, { type: "answer", id: 7 }, Promise.resolve({ type: "message" })]) {
    assert.equal(decoding(() => result).type, "noise", JSON.stringify(result));
  }
  // A module's claim that a message is JSON is not trusted.
  assert.deepEqual(
    decoding(() => ({ type: "message", json: true })),
    { type: "message" },
  );
  fc.assert(
    fc.property(fc.anything(), (result) => {
      const decoded = decoding(() => result);
      const all = decoded.type === "several" ? decoded.results : [decoded];
      for (const { type } of all) assert.ok(["noise", "message"].includes(type));
    }),
  );
});

test("a list of results is checked one by one, and an endless one is noise", () => {
  const render = () => "mine";
  const decoded = decoding(() => [{ type: "reply", id: 7, render }, { type: "message", render }, 5, []]);
  assert.ok(decoded.type === "several");
  assert.deepEqual(
    decoded.results.map(({ type }) => type),
    ["reply", "message", "noise", "noise"],
  );
  const [reply, message] = decoded.results;
  assert.ok(reply?.type === "reply" && message?.type === "message");
  assert.deepEqual([reply.render(undefined), message.render?.(undefined)], ["mine", "mine"]);
  assert.deepEqual(
    decoding(() => []),
    { type: "several", results: [] },
  );
  assert.match(JSON.stringify(decoding(() => Array(10_001).fill({ type: "message" }))), /noise.*more than 10000/);
});

test("a message is kept as text and bytes if its render returns those, and as JSON otherwise", () => {
  const bytes = new Uint8Array([1]);
  for (const [value, body, json] of [
    ["text", "text", undefined],
    [bytes, bytes, undefined],
    [{ a: [1, null] }, '{"a":[1,null]}', true],
    [[], "[]", true],
    [7, "7", true],
    [null, "null", true],
  ] as const) {
    const decoded = decoding(() => ({ type: "message", render: () => value }));
    assert.ok(decoded.type === "message");
    assert.deepEqual([decoded.render?.(undefined), decoded.json], [body, json]);
  }
});

test("the form in which the configuration's frames go out is text or bytes, or else as they are written", () => {
  const wired = (toWire: (frame: string) => unknown) => fromModule({ default: { ...sums, toWire } }).toWire?.("{}");
  assert.equal(
    wired((frame) => `<${frame}>`),
    "<{}>",
  );
  assert.deepEqual(
    wired(() => new Uint8Array([1])),
    new Uint8Array([1]),
  );
  for (const work of [() => 7, () => assert.fail("on purpose")]) assert.equal(wired(work), "{}");
  assert.equal(fromModule({ default: sums }).toWire, undefined);
});

test("a message without a working render is the frame", () => {
  const circle: { self?: unknown } = {};
  circle.self = circle;
  for (const render of [7, () => undefined, () => circle, () => Promise.resolve("x"), () => () => "x"]) {
    const decoded = decoding(() => ({ type: "message", render }));
    assert.ok(decoded.type === "message");
    assert.equal(decoded.render?.(undefined), "frame");
  }
});

test("a reply without a working render is the frame as it arrived", () => {
  for (const render of [
    undefined,
    () => 7,
    () => {
      throw new Error("oh");
    },
  ]) {
    const decoded = decoding(() => ({ type: "reply", id: 7, render }));
    assert.ok(decoded.type === "reply");
    assert.equal(decoded.render(undefined), "frame");
  }
});

test("a reply needs no id with correlation by order", () => {
  const decoded = decoding(() => ({ type: "reply" }), { correlation: "order" });
  assert.ok(decoded.type === "reply" && decoded.id === 0);
});

test("an invalid reply keeps its reason", () => {
  assert.deepEqual(
    decoding(() => ({ type: "invalid", id: 7, why: "torn" })),
    { type: "invalid", id: 7, why: "torn" },
  );
});

test("a module that accepts anything gets bodies as they are, and its methods keep their object", () => {
  const protocol = fromModule({
    default: {
      name: "prefix",
      accepts: "any",
      prefix: "> ",
      encode(message: unknown) {
        return {
          frame: message instanceof Uint8Array ? message : `${this.prefix}${String(message)}`,
          expectsReply: false,
        };
      },
      decode: () => ({ type: "message" }),
    },
  });
  const bytes = new Uint8Array([255]);
  assert.deepEqual(protocol.encode(bytes, 1, "request").frame, bytes);
  const { frame, expectsReply } = protocol.encode("x", 1, "request");
  assert.deepEqual([frame, expectsReply], ["> x", false]);
});

test("bytes that a module returns, or leaves as they came, are copied: it may keep and return them again", () => {
  const constant = new Uint8Array(8);
  const returning = { type: "reply", id: 7, render: () => constant, gather: () => constant };
  const protocol = fromModule({
    default: {
      ...sums,
      streams: true,
      encode: () => ({ frame: constant }),
      adopt: () => ({ frame: constant }),
      cancel: () => constant,
      decode: (frame: unknown) =>
        frame === constant ? { type: "reply", id: 7 } : [returning, { type: "answer", frame: constant }],
    },
  });
  const several = protocol.decode("x");
  assert.ok(several.type === "several");
  const [reply, answer] = several.results;
  assert.ok(reply?.type === "reply" && answer?.type === "answer");
  const unrendered = protocol.decode(constant);
  assert.ok(unrendered.type === "reply");
  const bodies = [
    protocol.encode("x", 1, "request").frame,
    protocol.adopt?.("x", 1)?.frame,
    protocol.cancel?.(7),
    reply.render("7"),
    reply.gather?.([]),
    answer.frame,
    unrendered.render("7"),
  ];
  for (const [index, body] of bodies.entries()) {
    assert.deepEqual(body, constant, String(index));
    assert.notEqual((body as Uint8Array).buffer, constant.buffer, String(index));
  }
});

test("a module's split returns strings, or its message is refused", () => {
  const splitting = (split: () => unknown) => fromModule({ default: { ...sums, split } }).split?.("[]", 10);
  assert.deepEqual(
    splitting(() => ["a", "b"]),
    ["a", "b"],
  );
  assert.equal(
    splitting(() => undefined),
    undefined,
  );
  assert.throws(() => splitting(() => [1]), { name: "InvalidMessage", kind: "shape" });
});

test("a module can return every type of frame that a preset can", () => {
  const render = (): string => "R";
  const decoded = (result: object, rest: object = {}): Decoded => decoding(() => result, rest);
  const part = decoded({ type: "part", id: 7, render });
  assert.ok(part.type === "part" && part.render(undefined) === "R");
  assert.deepEqual(decoded({ type: "progress", id: 7 }), { type: "progress", id: 7 });
  assert.deepEqual(decoded({ type: "error", fails: "all" }), { type: "error", fails: "all" });
  assert.deepEqual(decoded({ type: "error" }), { type: "error", fails: "oldest" });
  assert.deepEqual(decoded({ type: "answer", frame: "pong" }), { type: "answer", frame: "pong" });
  const kept = { type: "answer", frame: "pong", keep: "any" };
  assert.deepEqual(decoded({ type: "answer", frame: "pong", keep: true }), kept);
  assert.equal(decoded({ type: "answer" }).type, "noise");
  const last = decoded({ type: "reply", id: 7, gather: (frames: string[]) => frames.join("+") });
  assert.ok(last.type === "reply");
  assert.equal(last.gather?.(["a", "b"]), "a+b");
  // With correlation by order only one request is in flight.
  assert.equal(decoded({ type: "error" }, { correlation: "order" }).type, "invalid");
});

test("a gather that does not work leaves the last frame", () => {
  for (const gather of [() => 7, "no function", () => assert.fail()]) {
    const last = decoding(() => ({ type: "reply", id: 7, gather }));
    assert.ok(last.type === "reply");
    assert.equal(last.gather?.(["a"]), "frame");
  }
});

test("a module that keeps callers' ids returns them as strings, both ways", () => {
  const keeping = (encode: () => unknown, decode: () => unknown = () => ({ type: "reply", id: "a" })) =>
    fromModule({ default: { ...sums, ids: "callers", encode, decode } });
  assert.equal(keeping(() => ({ frame: "x", id: "a" })).encode("x", 0, "request").id, "a");
  assert.throws(() => keeping(() => ({ frame: "x" })).encode("x", 0, "request"), /returned no id/);
  assert.equal(keeping(() => ({ frame: "x", expectsReply: false })).encode("x", 0, "rpc").id, undefined);
  const decoded = keeping(() => ({})).decode("x");
  assert.ok(decoded.type === "reply" && decoded.id === "a");
  assert.equal(
    keeping(
      () => ({}),
      () => ({ type: "reply", id: 7 }),
    ).decode("x").type,
    "noise",
  );
  assert.equal(fromModule({ default: { ...sums, ids: "increasing" } }).ids, "increasing");
});

test("a module marks requests of the upstream, and builds the replies to them", () => {
  const asking = { ...sums, decode: () => ({ type: "message" as const, wantsReply: true as const }) };
  const replyTo = (request: unknown, reply: string) => `${String(request)} = ${reply}`;
  const protocol = fromModule({ default: { ...asking, replyTo } });
  assert.deepEqual(protocol.decode("2 + 2"), { type: "message", wantsReply: true });
  assert.equal(protocol.replyTo?.("2 + 2", "4"), "2 + 2 = 4");
  assert.equal(fromModule({ default: asking }).replyTo, undefined);
  const refusing = (work: () => unknown) => fromModule({ default: { ...asking, replyTo: work } }).replyTo?.("", "4");
  const odd = Object.assign(new Error("odd"), { name: "InvalidMessage" });
  const throwing = (error: Error) => () => {
    throw error;
  };
  assert.throws(() => refusing(throwing(odd)), new InvalidMessage("shape", "odd"));
  assert.throws(() => refusing(throwing(new Error("secret"))), /replyTo threw an exception, which is in the log/);
  assert.throws(() => refusing(() => undefined), /replyTo returned no frame/);
});
