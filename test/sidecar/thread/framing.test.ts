/** Tests of how frames are taken apart and ended. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import type { FrameOptions } from "../../../src/protocols/frames.ts";
import { LargeText, type Received } from "../../../src/protocols/large-text.ts";
import type { Body } from "../../../src/protocols/protocol.ts";
import type { Skeleton } from "../../../src/protocols/skeleton.ts";
import { Framing, MAX_PIECES } from "../../../src/sidecar/thread/framing.ts";

const MAX_BYTES = 1_000;
const bytes = (text: string) => new TextEncoder().encode(text);
const framing = (options?: FrameOptions, accepts: "json" | "any" = "json") => new Framing(options, accepts, MAX_BYTES);
/** The messages of a frame, or the reason why it cannot be taken apart. */
function read(taking: Framing, frame: Body): readonly Body[] | { readonly why: string } {
  const messages: Body[] = [];
  const steps = taking.handle(frame, (message) => messages.push(message));
  for (let step = steps.next(); ; step = steps.next()) if (step.done) return step.value ?? messages;
}
const plain = (bodies: unknown) =>
  Array.isArray(bodies) ? bodies.map((body) => (typeof body === "string" ? body : [...body])) : bodies;

describe("large text frames", () => {
  const text = `{"id":7,"result":"${"x".repeat(2_000)}"}`;
  /** The messages that are handed on, and the skeletons that are offered first. */
  function offered(taking: Framing, frame: Received, isTaken: boolean) {
    const skeletons: string[] = [];
    const messages: Body[] = [];
    const take = (skeleton: Skeleton) => {
      skeletons.push(skeleton.text);
      return isTaken;
    };
    const steps = taking.handle(frame, (message) => messages.push(message), { reads: new Set(["id"]), take });
    while (!steps.next().done);
    return { skeletons, messages };
  }
  const large = () => new LargeText(bytes(text));

  test("are offered by their skeletons, and are text if these are not taken", () => {
    const skeletons = ['{"id":7,"result":"~0"}'];
    assert.deepEqual(offered(framing(), large(), true), { skeletons, messages: [] });
    assert.deepEqual(offered(framing(), large(), false), { skeletons, messages: [text] });
    assert.equal(framing().isPlain(large()), false);
  });

  test("are text where they are taken apart, or have no skeleton", () => {
    assert.deepEqual(offered(framing({ split: "\n" }), large(), true), { skeletons: [], messages: [text] });
    const none = new LargeText(bytes(text.replace("result", "id")));
    assert.deepEqual(offered(framing(), none, true), { skeletons: [], messages: [none.text] });
    assert.deepEqual(offered(framing(), text, true), { skeletons: [], messages: [text] });
  });
});

const table: readonly (readonly [what: string, options: FrameOptions, frame: string, pieces: readonly string[]])[] = [
  ["each line is a message", { split: "\n" }, "a\nb\n", ["a", "b"]],
  ["the last piece needs no separator", { split: "\n" }, "a\nb", ["a", "b"]],
  ["an empty piece is nothing", { split: "\n" }, "\n\na\n\n", ["a"]],
  ["a frame of separators holds no message", { split: "\u0000" }, "\u0000\u0000", []],
  ["an empty frame holds no message", { split: "\n" }, "", []],
  ["U+001E separates as SignalR does", { split: "\u001e" }, "{}\u001e[1]\u001e", ["{}", "[1]"]],
  ["a separator may be longer", { split: "\r\n" }, "a\nb\r\nc\r\n", ["a\nb", "c"]],
  ["half a separator separates nothing", { split: "ab" }, "aab", ["a"]],
  [
    "an array's elements are messages, as written",
    { split: "array" },
    ' [1.0, {"a" :2} ,[3]]',
    ["1.0", '{"a" :2}', "[3]"],
  ],
  ["an empty array holds no message", { split: "array" }, "[]", []],
  ["what is no array is one message", { split: "array" }, '{"a":[1]}', ['{"a":[1]}']],
  ["what is no JSON is one message", { split: "array" }, "[1", ["[1"]],
];
describe("splitting", () => {
  for (const [what, options, frame, pieces] of table) {
    test(what, () => assert.deepEqual(read(framing(options), frame), pieces));
  }

  test("the messages in bytes are bytes", () => {
    assert.deepEqual(plain(read(framing({ split: "\n" }, "any"), bytes("a\nb"))), [[97], [98]]);
    assert.deepEqual(plain(read(framing({ split: "\n" }, "any"), Uint8Array.of(255, 10))), [[255, 10]]);
  });

  test("joining messages with the separator and splitting them gives them back", () => {
    const separators = fc.constantFrom("\n", "\u001e", "\u0000", "--");
    fc.assert(
      fc.property(separators, fc.array(fc.string({ minLength: 1 })), (split, messages) => {
        const clean = messages.filter((message) => !message.includes("-") && !message.includes(split));
        assert.deepEqual(read(framing({ split }), clean.map((message) => message + split).join("")), clean);
      }),
    );
  });

  test("a frame of more messages than MAX_PIECES is unreadable as a whole", () => {
    for (const [split, frame] of [
      ["\n", "a\n".repeat(MAX_PIECES + 1)],
      ["array", `[${"1,".repeat(MAX_PIECES)}1]`],
    ] as const) {
      assert.match(String((read(framing({ split }), frame) as { why: string }).why), /more than 10000 messages/);
    }
    assert.equal((read(framing({ split: "\n" }), `${"\n".repeat(MAX_PIECES * 2)}a`) as readonly Body[]).length, 1);
  });
});

test("what goes out ends with the separator, once; an array's frames go out as they are", () => {
  const ended = framing({ split: "\u001e" });
  assert.deepEqual([ended.end("{}"), ended.end("{}\u001e")], ["{}\u001e", "{}\u001e"]);
  assert.deepEqual(plain([ended.end(Uint8Array.of(1)), ended.end(Uint8Array.of(1, 0x1e))]), [
    [1, 0x1e],
    [1, 0x1e],
  ]);
  assert.deepEqual([framing({ split: "array" }).end("{}"), framing().end("{}")], ["{}", "{}"]);
});

describe("inflating", () => {
  const json = '{"a":1}';
  for (const [what, inflate, frame] of [
    ["gzip is inflated", "gzip", gzipSync(json)],
    ["zlib is inflated", "deflate", deflateSync(json)],
    ["raw deflate is inflated", "deflate", deflateRawSync(json)],
    ["auto knows gzip", "auto", gzipSync(json)],
    ["auto knows zlib", "auto", deflateSync(json)],
    ["auto leaves other bytes", "auto", bytes(json)],
    ["a text frame is left as it is", "gzip", json],
  ] as const) {
    test(what, () => assert.deepEqual(read(framing({ inflate }), frame), [json]));
  }

  test("a frame is inflated before it is split", () => {
    assert.deepEqual(read(framing({ inflate: "gzip", split: "\n" }), gzipSync("1\n2\n")), ["1", "2"]);
  });

  test("a frame that cannot be inflated, or beyond the bound, is unreadable and says why", () => {
    for (const [inflate, frame, why] of [
      ["gzip", bytes("rubbish"), /cannot be inflated \(Z_DATA_ERROR\)/],
      ["deflate", bytes("\u0007rubbish"), /cannot be inflated/],
      ["gzip", gzipSync("x".repeat(100)).subarray(0, 15), /cannot be inflated/],
      ["gzip", gzipSync("x".repeat(MAX_BYTES + 1)), /more than limits\.reply_bytes \(1000 bytes\)/],
    ] as const) {
      assert.match(String((read(framing({ inflate }), frame) as { why: string }).why), why);
    }
    assert.deepEqual(read(framing({ inflate: "gzip" }, "any"), gzipSync("x".repeat(MAX_BYTES))), [
      "x".repeat(MAX_BYTES),
    ]);
  });
});

describe("bytes in a protocol that accepts JSON", () => {
  for (const [what, frame, messages] of [
    ["that hold JSON are its text", bytes(' {"a":1.0}'), [' {"a":1.0}']],
    ["that hold other text stay bytes", bytes("hello"), [[...bytes("hello")]]],
    ["that are no text stay bytes", Uint8Array.of(0, 255, 1), [[0, 255, 1]]],
  ] as const) {
    test(what, () => {
      assert.equal(framing().isPlain(frame), false);
      assert.deepEqual(plain(read(framing(), frame)), messages);
    });
  }

  test("stay bytes where any body is accepted, and text frames are not looked at", () => {
    assert.deepEqual(plain(read(framing(undefined, "any"), bytes("{}"))), [[123, 125]]);
    assert.deepEqual([framing().isPlain("{}"), framing({ split: "\n" }).isPlain("{}")], [true, false]);
  });

  test("large ones are text or bytes as small ones are, and so are the elements of a large array", () => {
    const large = `[${"1,".repeat(50_000)}1]`;
    assert.equal(framing().isPlain(large), false);
    // Among lines of text, what may be JSON is examined in turns.
    assert.equal(framing(undefined, "any").isPlain(large), false);
    assert.equal(framing(undefined, "any").isPlain("x".repeat(large.length)), true);
    assert.deepEqual(read(framing(), bytes(large)), [large]);
    assert.deepEqual(plain(read(framing(), bytes(`${large},`))), [[...bytes(`${large},`)]]);
    assert.deepEqual(read(framing({ split: "array" }), `[7,${large},"8"]`), ["7", large, '"8"']);
  });
});
