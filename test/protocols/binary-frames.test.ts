/** Tests of binary frames beside JSON. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { withBinaryFrames } from "../../src/protocols/binary-frames.ts";
import { jsonByOrder } from "../../src/protocols/json-by-order.ts";

const bytes = new Uint8Array([49, 50]);
const decoded = (binary: "messages" | "parts") =>
  withBinaryFrames(jsonByOrder({ final: [{ has: ["/end"] }], collect: {} }), { binary }).decode(bytes);

test("bytes are messages, unless they are parts of the reply that is due", () => {
  assert.deepEqual(decoded("messages"), { type: "message" });
  const part = decoded("parts");
  assert.ok(part.type === "aliased");
  assert.equal(part.of(0).type, "part");
  assert.deepEqual(part.otherwise, { type: "message" });
});
