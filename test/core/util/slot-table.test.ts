/** Tests of the slot table against a Map. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SlotTable } from "../../../src/core/util/slot-table.ts";

test("a number returns its own value once and is never drawn again", () => {
  const step = fc.record({ kind: fc.constantFrom("put", "put", "put", "leave", "take"), at: fc.nat() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 1_000, size: "max" }), (steps) => {
      const slots = new SlotTable<{ readonly name: number }>();
      const expected = new Map<number, { readonly name: number }>();
      let last = 0;
      for (const { kind, at } of steps) {
        if (kind === "take") {
          const number = [...expected.keys()][at % Math.max(1, expected.size)] ?? last + 1;
          assert.equal(slots.take(number), expected.get(number));
          expected.delete(number);
          assert.equal(slots.take(number), undefined, "only once");
          continue;
        }
        const number = slots.draw();
        assert.ok(number > last, "a number is drawn twice");
        last = number;
        if (kind === "leave") continue;
        const value = { name: number };
        slots.put(number, value);
        expected.set(number, value);
      }
      assert.equal(slots.size, expected.size);
      assert.deepEqual(new Map(slots), expected);
    }),
    { numRuns: 100 },
  );
});

test("a long-lived entry neither blocks nor leaks into entries that pass by", () => {
  const slots = new SlotTable<{ readonly name: string }>();
  const stays = { name: "stays" };
  const number = slots.draw();
  slots.put(number, stays);
  for (let n = 0; n < 1_000; n++) {
    const passing = slots.draw();
    slots.put(passing, { name: "passes" });
    assert.equal(slots.take(number + passing * 64), undefined, "another number with the same slot");
    assert.equal(slots.take(passing)?.name, "passes");
  }
  assert.equal(slots.size, 1);
  assert.equal(slots.take(number), stays);
});
