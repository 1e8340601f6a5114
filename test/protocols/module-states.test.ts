/** Tests of a module that exports a function: the state of each connection. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ModuleConnection, ProtocolFactory } from "../../src/index.ts";
import { fromModule } from "../../src/protocols/presets.ts";
import type { Protocol } from "../../src/protocols/protocol.ts";

/** Counts the frames that each connection has taken, and writes that into all that goes out. */
const counting: ProtocolFactory = (connection) => {
  let frames = 0;
  const tag = () => `${connection?.number ?? "none"}:${frames}`;
  return {
    name: "counting",
    accepts: "any",
    encode: (message, id) => ({ frame: `${String(message)} ${id} ${tag()}` }),
    decode: (frame) => ({ type: "reply", id: ++frames, render: () => frame }),
    adopt: (frame, id) => ({ frame: `${String(frame)} ${id} ${tag()}`, own: "own" }),
    cancel: (id) => `cancel ${id} ${tag()}`,
    replyTo: (request, reply) => `${String(request)} ${reply} ${tag()}`,
  };
};

function idOf(protocol: Protocol, frame: string, connection?: number): unknown {
  const decoded = protocol.decode(frame, connection);
  return "id" in decoded ? decoded.id : decoded.type;
}

test("each connection has what the function returned for it, and no connection has what it returned first", () => {
  const protocol = fromModule({ default: counting });
  for (const connection of [1, 2]) assert.deepEqual(protocol.states?.begin(connection), []);
  protocol.states?.take(1, "a");
  for (const [connection, tag] of [
    [1, "1:1"],
    [2, "2:0"],
    [3, "none:0"],
    [undefined, "none:0"],
  ] as const) {
    assert.equal(protocol.encode("x", 7, "request", connection).frame, `x 7 ${tag}`);
    assert.equal(protocol.adopt?.("x", 7, connection)?.frame, `x 7 ${tag}`);
    assert.equal(protocol.cancel?.(7, undefined, connection), `cancel 7 ${tag}`);
    assert.equal(protocol.replyTo?.("x", "y", connection), `x y ${tag}`);
  }
});

test("a frame is decoded when it is taken, however often its classification is read", () => {
  const protocol = fromModule({ default: counting });
  protocol.states?.begin(1);
  protocol.states?.take(1, "same");
  assert.deepEqual([idOf(protocol, "same", 1), idOf(protocol, "same", 1)], [1, 1]);
  protocol.states?.take(1, "same");
  assert.equal(idOf(protocol, "same", 1), 2);
});

test("the state of a connection ends with it, once", () => {
  const ended: unknown[] = [];
  const ending: ProtocolFactory = (connection) => ({
    ...counting(connection),
    end: () => ended.push(connection?.number),
  });
  const protocol = fromModule({ default: ending });
  protocol.states?.begin(4);
  for (const connection of [3, 4, 4]) protocol.states?.end(connection);
  assert.deepEqual(ended, [4]);
  assert.equal(protocol.encode("x", 7, "request", 4).frame, "x 7 none:0");
});

test("a function that fails for a connection, and an end that throws, are reported", () => {
  const threw: string[] = [];
  const failing = (connection?: ModuleConnection): unknown => {
    if (connection?.number === 1) throw new Error("on purpose");
    if (connection?.number === 2) return undefined;
    if (connection?.number === 3) return { ...counting(), decode: undefined };
    return { ...counting(connection), end: () => assert.fail("at the end") };
  };
  const report = (what: string, error: unknown) => threw.push(`${what}: ${(error as Error).message}`);
  const protocol = fromModule({ default: failing }, report);
  const why = "the protocol's function threw an exception, which is in the log";
  for (const connection of [1, 2, 3]) assert.equal(protocol.states?.begin(connection), why);
  assert.deepEqual(protocol.states?.begin(4), []);
  protocol.states?.end(4);
  assert.deepEqual(threw, [
    "the protocol's function threw: on purpose",
    "the protocol's function threw: it returned no protocol for this connection",
    'the protocol\'s function threw: the protocol needs a function "decode"',
    "the protocol's end threw: at the end",
  ]);
});

test("an end without a function for each connection is refused: it would never be called", () => {
  const exports = { default: { ...counting(), end: () => undefined } };
  assert.throws(() => fromModule(exports), /"end" needs a default export that is a function, called per connection/);
});

test("what a connection sends by itself is one frame, a list, or nothing; all else is reported", () => {
  const threw: string[] = [];
  const sending = (result: unknown) => {
    const factory = () => ({ ...counting(), opened: () => result, tick: () => result });
    const report = (what: string, error: unknown) => threw.push(`${what}: ${(error as Error).message}`);
    const { states } = fromModule({ default: factory }, report);
    return [states?.begin(1), states?.tick(1)];
  };
  const bytes = new Uint8Array([1]);
  for (const [result, frames] of [
    [undefined, []],
    [null, []],
    ["a", ["a"]],
    [bytes, [bytes]],
    [
      ["a", bytes],
      ["a", bytes],
    ],
  ] as const)
    assert.deepEqual(sending(result), [frames, frames]);
  assert.deepEqual(threw, []);
  const why = "the protocol's opened threw an exception, which is in the log";
  for (const result of [7, [7], Promise.resolve("a"), Array(101).fill("a")])
    assert.deepEqual(sending(result), [why, []]);
  assert.deepEqual(threw.slice(0, 2), [
    "the protocol's opened threw: it returned something that is no frame",
    "the protocol's tick threw: it returned something that is no frame",
  ]);
  assert.match(threw.at(-1) ?? "", /more than 100 frames/);
});

test("the time until a tick is bounded, and must be a number", () => {
  const asked: unknown[] = [];
  let given: ModuleConnection | undefined;
  const factory: ProtocolFactory = (connection) => {
    given = connection;
    return counting(connection);
  };
  const { states } = fromModule({ default: factory });
  states?.onTickAsked((...times) => void asked.push(times));
  states?.begin(3);
  for (const ms of [0, 10.5, 5_000, Infinity]) given?.tickAfter(ms);
  assert.deepEqual(asked, [
    [3, 10],
    [3, 11],
    [3, 5_000],
    [3, 2 ** 31 - 1],
  ]);
  for (const ms of [-1, Number.NaN, "5"]) assert.throws(() => given?.tickAfter(ms as number), RangeError);
});
