/** The header `traceparent`: what is read of it, and what is as good as none. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readTraceparent, traceparentOf } from "../../../src/core/util/traceparent.ts";

const hex = (digits: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: digits, maxLength: digits });
const id = (digits: number) => hex(digits).filter((text) => !/^0+$/.test(text));
const context = fc.record({ traceId: id(32), spanId: id(16), flags: fc.nat(255) });

test("a valid header is read and written back as it was", () => {
  fc.assert(
    fc.property(context, (given) => {
      const header = traceparentOf(given);
      assert.match(header, /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/);
      assert.deepEqual(readTraceparent(header), { ...given });
    }),
  );
});

test("a header with any character changed is read as another trace or not at all, and never holds anything but hex", () => {
  fc.assert(
    fc.property(context, fc.nat(54), fc.string({ minLength: 1, maxLength: 1 }), (given, at, character) => {
      const header = traceparentOf(given);
      const read = readTraceparent(header.slice(0, at) + character + header.slice(at + 1));
      if (read) assert.match(traceparentOf(read), /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/);
    }),
  );
});

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

for (const [what, header] of [
  ["the version that never is", `ff-${TRACE}-${SPAN}-01`],
  ["a trace of zeros", `00-${"0".repeat(32)}-${SPAN}-01`],
  ["a span of zeros", `00-${TRACE}-${"0".repeat(16)}-01`],
  ["upper case", `00-${TRACE.toUpperCase()}-${SPAN}-01`],
  ["more than version 00 has", `00-${TRACE}-${SPAN}-01-more`],
  ["a newer version with more that no dash sets apart", `01-${TRACE}-${SPAN}-01.more`],
  ["less than all", `00-${TRACE}-${SPAN}`],
  ["another separator", `00_${TRACE}_${SPAN}_01`],
  ["nothing", ""],
] as const) {
  test(`a header with ${what} is none`, () => {
    assert.equal(readTraceparent(header), undefined);
  });
}

test("a newer version may have more behind the flags, and is handed on in the one that everyone knows", () => {
  const read = readTraceparent(`01-${TRACE}-${SPAN}-03-what-comes-next`);
  assert.ok(read);
  assert.equal(traceparentOf(read), `00-${TRACE}-${SPAN}-03`);
});
