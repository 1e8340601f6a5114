/** Tests of JSON whose replies come by order. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { base64Of } from "../../src/protocols/bytes.ts";
import { jsonByOrder } from "../../src/protocols/json-by-order.ts";
import { jsonArrayOf } from "../../src/protocols/json-message.ts";

test("a message goes out as it is written, and must be JSON", () => {
  const protocol = jsonByOrder({});
  assert.deepEqual(protocol.encode(' {"id":7} ', 1, "request"), { frame: ' {"id":7} ', expectsReply: true });
  assert.throws(() => protocol.encode("hello", 1, "request"), /not usable JSON/);
});

test("without rules every JSON frame is a reply, and the protocol says so", () => {
  assert.equal(jsonByOrder({}).takesEveryFrame, true);
  assert.equal(jsonByOrder({ final: [{ has: ["/end"] }] }).takesEveryFrame, false);
  assert.equal(jsonByOrder({}).decode("{}").type, "reply");
  assert.equal(jsonByOrder({}).decode("hello").type, "noise");
});

test("the message that ends a request needs no id", () => {
  assert.equal(jsonByOrder({ cancel: { type: "stop" } }).cancel?.(0), '{"type":"stop"}');
  assert.equal(jsonByOrder({}).cancel, undefined);
});

test("bytes in an array of frames are in base64, whatever they are", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100_000 }), (bytes) => {
      assert.equal(base64Of(bytes), Buffer.from(bytes).toString("base64"));
    }),
    { numRuns: 50 },
  );
  const frames = ['{"a":1}', new Uint8Array([255, 0]), new TextEncoder().encode("12")];
  const bytes = (data: string) => `{"encoding":"base64","data":"${data}"}`;
  assert.equal(jsonArrayOf(frames), `[{"a":1},${bytes("/wA=")},${bytes("MTI=")}]`);
});
