import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SlotTable } from "../../../src/core/util/slot-table.ts";

test("whatever comes and goes: a number gives its own value, once, and never comes again", () => {
  const step = fc.record({ kind: fc.constantFrom("put", "put", "put", "leave", "take"), at: fc.nat() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 1_000, size: "max" }), (steps) => {
      const slots = new SlotTable<{ readonly name: number }>();
      const there = new Map<number, { readonly name: number }>();
      let last = 0;
      for (const { kind, at } of steps) {
        if (kind === "take") {
          const number = [...there.keys()][at % Math.max(1, there.size)] ?? last + 1;
          assert.equal(slots.take(number), there.get(number));
          there.delete(number);
          assert.equal(slots.take(number), undefined, "only once");
          continue;
        }
        const number = slots.draw();
        assert.ok(number > last, "drawn anew");
        last = number;
        if (kind === "leave") continue;
        const value = { name: number };
        slots.put(number, value);
        there.set(number, value);
      }
      assert.equal(slots.size, there.size);
      assert.deepEqual(new Map(slots), there);
    }),
    { numRuns: 100 },
  );
});

test("one that stays for long is in nobody's way", () => {
  const slots = new SlotTable<{ readonly name: string }>();
  const stays = { name: "stays" };
  const number = slots.draw();
  slots.put(number, stays);
  for (let n = 0; n < 1_000; n++) {
    const passing = slots.draw();
    slots.put(passing, { name: "passes" });
    assert.equal(slots.take(number + passing * 64), undefined, "another number of the same place");
    assert.equal(slots.take(passing)?.name, "passes");
  }
  assert.equal(slots.size, 1);
  assert.equal(slots.take(number), stays);
});
