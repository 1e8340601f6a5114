/** Tests of STOMP frames: what is written is read again, and nothing else passes for a frame. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { preset } from "../../src/protocols/presets.ts";
import { readFrames, type StompFrame, writeFrame } from "../../src/protocols/stomp-frame.ts";

const frames = fc.record({
  command: fc.constantFrom("SEND", "MESSAGE", "RECEIPT", "ERROR"),
  headers: fc.dictionary(
    fc.string({ unit: "grapheme" }).filter((name) => name !== "content-length"),
    fc.string({ unit: "grapheme" }),
    { noNullPrototype: true },
  ),
  body: fc.string({ unit: "grapheme" }).filter((body) => !body.includes("\0")),
});

const made = ({ command, headers, body }: { command: string; headers: Record<string, string>; body: string }) => ({
  command,
  headers: new Map(Object.entries(headers)),
  body,
});

test("frames that are written one after the other are read as they were", () => {
  fc.assert(
    fc.property(fc.array(frames), fc.constantFrom("", "\n", "\r\n\n"), (all, between) => {
      const written = all.map((each) => writeFrame(made(each))).join(between);
      assert.deepEqual(readFrames(between + written + between), all.map(made));
    }),
  );
});

test("what has a meaning in headers is escaped, but in CONNECT", () => {
  const headers = new Map([["a:b", "c:d\n\\"]]);
  const written = writeFrame({ command: "SEND", headers, body: "" });
  assert.equal(written, "SEND\na\\cb:c\\cd\\n\\\\\n\n\0");
  assert.deepEqual(readFrames(written), [{ command: "SEND", headers, body: "" }]);
  assert.equal(writeFrame({ command: "CONNECT", headers: new Map([["a", "b:c"]]), body: "" }), "CONNECT\na:b:c\n\n\0");
});

test("a body with a length may hold NUL, and characters of several bytes", () => {
  const body = "ü\0ö";
  const headers = new Map([["content-length", "5"]]);
  const frame: StompFrame = { command: "MESSAGE", headers, body };
  assert.deepEqual(readFrames(writeFrame(frame) + writeFrame(frame)), [frame, frame]);
});

test("a length beyond the text costs no more than the text, however many frames have one", () => {
  const frame = "MESSAGE\ncontent-length:9\n\nab\0";
  const began = performance.now();
  const read = readFrames(frame.repeat(20_000));
  assert.ok("why" in read || read.length < 20_000);
  const body = "MESSAGE\ncontent-length:4\n\nab\0c\0";
  assert.equal((readFrames(body.repeat(20_000)) as readonly unknown[]).length, 20_000);
  // Work that grows with the square takes minutes.
  assert.ok(performance.now() - began < 5_000);
});

test("a header that stands twice counts once, as it stands first", () => {
  const read = readFrames("MESSAGE\na:1\na:2\n\n\0");
  assert.ok(!("why" in read));
  assert.equal(read[0]?.headers.get("a"), "1");
});

test("a text that is no frame has a reason", () => {
  for (const text of [
    "hello",
    "SEND\n\nno end",
    "send\n\n\0",
    "SEND\nheader\n\n\0",
    "SEND\ncontent-length:9\n\nab\0",
  ]) {
    const read = readFrames(text);
    assert.ok("why" in read || text.includes("content-length"), text);
  }
});

test("a caller's body with NUL goes out with its length, and a wrong length or another CONNECT does not go out", () => {
  const { protocol } = preset("stomp") ?? {};
  assert.ok(typeof protocol === "object");
  const sent = (message: object) => protocol.encode(JSON.stringify(message), 1, "send").frame;
  const body = "ü\0SEND\n\n";
  const [frame, ...others] = readFrames(
    String(sent({ command: "SEND", headers: { destination: "/a" }, body })),
  ) as StompFrame[];
  assert.deepEqual([frame?.body, others], [body, []]);
  for (const wrong of [{ command: "SEND", headers: { "content-length": 1 }, body: "ab" }, { command: "CONNECT" }])
    assert.throws(() => sent(wrong), { name: "InvalidMessage" });
});
