/** Properties of bodies while they arrive. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { Budget } from "../../../src/core/util/budget.ts";
import { SidesocketError } from "../../../src/errors.ts";
import { CollectedBody } from "../../../src/http/call/collected-body.ts";

const MIB = 1024 * 1024;

test("a body is its chunks, costs little more while it arrives, and nothing afterwards", () => {
  const chunk = fc.uint8Array({ maxLength: 20_000 });
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 30 }), fc.boolean(), (chunks, isDeclared) => {
      const budget = Budget.alone(64 * MIB);
      const whole = Buffer.concat(chunks);
      const body = new CollectedBody(MIB, budget, isDeclared ? whole.length : undefined);
      for (const one of chunks) body.add(one);
      assert.deepEqual(Buffer.from(body.whole()), whole);
      assert.ok(budget.heldBy("bodies") >= whole.length);
      assert.ok(budget.heldBy("bodies") <= Math.max(4_096, isDeclared ? whole.length : 2 * whole.length));
      body.leave();
      assert.equal(budget.held, 0);
    }),
  );
});

test("a body in chunks of a byte is one piece", () => {
  const budget = Budget.alone(64 * MIB);
  const body = new CollectedBody(MIB, budget);
  for (let n = 0; n < 100_000; n++) body.add(Uint8Array.of(n));
  assert.equal(body.whole().length, 100_000);
  assert.ok(budget.held <= 200_000);
});

test("a body that is too large, or for which there is no memory, is refused with its reason", () => {
  const code = (act: () => void): string | undefined => {
    try {
      act();
      return undefined;
    } catch (error) {
      return error instanceof SidesocketError ? error.code : String(error);
    }
  };
  const budget = Budget.alone(16 * MIB);
  assert.equal(
    code(() => new CollectedBody(10, budget).add(new Uint8Array(11))),
    "payload_too_large",
  );
  budget.take("answers", 14 * MIB);
  assert.equal(
    code(() => new CollectedBody(MIB, budget).add(new Uint8Array(100_000))),
    "congested",
  );
  assert.equal(
    code(() => new CollectedBody(MIB, budget).add(new Uint8Array(1_000))),
    undefined,
  );
});
