/** Tests of the cutting of bodies into frames. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { Budget } from "../../../src/core/util/budget.ts";
import { cutFrames } from "../../../src/sidecar/host/frame-cutter.ts";

test("frames have one size but for the last, hold the body's bytes in order, and leave no memory taken", async () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(chunks, fc.integer({ min: 1, max: 64 }), async (given, size) => {
      const budget = Budget.alone();
      const left = [...given];
      const frames: Uint8Array[] = [];
      for await (const frame of cutFrames({ next: async () => left.shift() }, size, budget)) {
        frames.push(new Uint8Array(frame));
      }
      const whole = Buffer.concat(given);
      assert.ok(Buffer.concat(frames).equals(whole));
      assert.equal(frames.length, Math.ceil(whole.length / size));
      assert.ok(frames.slice(0, -1).every(({ length }) => length === size));
      assert.equal(budget.held, 0);
    }),
  );
});
