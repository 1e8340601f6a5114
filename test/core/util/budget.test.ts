/** Properties of the budget of memory, and of the shares of callers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  ACCOUNTS,
  Budget,
  budgetMemory,
  memoryOf,
  REFUSALS,
  SMALL_BYTES,
  sidesFor,
  sidesOfThread,
} from "../../../src/core/util/budget.ts";
import { Shares } from "../../../src/core/util/shares.ts";

const MIB = 1024 * 1024;
const STEPS = REFUSALS;

const taking = fc.record({
  account: fc.constantFrom(...ACCOUNTS),
  bytes: fc.integer({ min: 1, max: 40 * MIB }),
  side: fc.nat(2),
  /** Which of the bytes that are held is given back before. */
  back: fc.nat(5),
});

test("whatever is taken and given, the sums are those of what is held, and nothing is left in the end", () => {
  fc.assert(
    fc.property(fc.array(taking, { maxLength: 60 }), (takings) => {
      const memory = budgetMemory(64 * MIB, sidesFor(1));
      const sides = [0, 1, 2].map((side) => new Budget(memory, side));
      const held: { readonly account: (typeof ACCOUNTS)[number]; readonly bytes: number; readonly side: number }[] = [];
      const check = (): void => {
        const sum = (all: typeof held): number => all.reduce((total, { bytes }) => total + bytes, 0);
        for (const budget of sides) {
          assert.equal(budget.held, sum(held));
          for (const account of ACCOUNTS) {
            assert.equal(budget.heldBy(account), sum(held.filter((one) => one.account === account)));
            assert.ok(budget.heldBy(account) >= 0);
          }
        }
      };
      for (const { back, ...one } of takings) {
        sides[one.side]?.take(one.account, one.bytes);
        held.push(one);
        const [given] = back < held.length - 1 ? held.splice(back, 1) : [];
        // Another side may give what one has taken: it was handed over.
        if (given) sides[(given.side + back) % 3]?.give(given.account, given.bytes);
        check();
      }
      for (const { account, bytes } of held.splice(0)) sides[0]?.give(account, bytes);
      check();
    }),
  );
});

test("the steps come one after the other, and none is left before the ones above it", () => {
  fc.assert(
    fc.property(fc.array(taking), (takings) => {
      const budget = Budget.alone(256 * MIB);
      let before: readonly boolean[] = STEPS.map(() => false);
      for (const { account, bytes } of takings) {
        budget.take(account, bytes);
        const now = STEPS.map((step) => budget.refuses(step));
        assert.deepEqual([...now].sort().reverse(), now, "a later step without an earlier one");
        for (const [at, was] of before.entries()) assert.ok(now[at] || !was, "more pressure, and a step less");
        if (budget.refuses("bodies")) assert.ok(!budget.hasRoomFor("bodies", SMALL_BYTES + 1));
        if (budget.refuses("everything")) assert.ok(!budget.hasRoomFor("bodies", 1));
        before = now;
      }
    }),
  );
});

test("what asks before it takes stays within its part and the limit, unless it is alone", () => {
  fc.assert(
    fc.property(fc.array(taking), (takings) => {
      const budget = Budget.alone(64 * MIB);
      for (const { account, bytes } of takings) {
        const alone = budget.heldBy(account) === 0;
        if (!budget.allows(account, bytes)) {
          assert.ok(!alone, "alone, and not allowed");
          continue;
        }
        budget.take(account, bytes);
        if (alone) continue;
        assert.ok(budget.heldBy(account) <= budget.partOf(account));
        assert.ok(budget.held <= budget.limit);
      }
    }),
  );
});

test("a message that is small passes where a large one does not any more", () => {
  const budget = Budget.alone(100 * MIB);
  budget.take("answers", 40 * MIB);
  budget.take("in_flight", 30 * MIB);
  const rooms = (...sizes: number[]) => sizes.map((size) => budget.hasRoomFor("in_flight", size));
  assert.deepEqual(rooms(4 * MIB, 10 * MIB), [true, false]);
  budget.take("in_flight", 10 * MIB);
  assert.deepEqual(rooms(MIB, SMALL_BYTES), [false, true]);
  assert.equal(budget.hasRoomFor("in_flight", SMALL_BYTES, MIB), false, "a part of a large one");
  budget.give("answers", 40 * MIB);
  assert.deepEqual(rooms(10 * MIB, 11 * MIB), [true, false], "no more than its part of the whole");
  assert.equal(budget.turnedAway, 4);
});

test("a thread that is gone takes all that it held with it, and all that was on its way", () => {
  const memory = budgetMemory(64 * MIB, sidesFor(2));
  const host = new Budget(memory);
  const { thread, takenOver } = sidesOfThread(1);
  const [there, here] = [new Budget(memory, thread), new Budget(memory, takenOver)];
  there.take("answers", 5);
  here.give("answers", 2);
  host.take("answers", 2);
  assert.deepEqual([host.held, host.heldBy("answers")], [5, 5]);
  for (const side of [there, here]) side.clear();
  assert.deepEqual([there.held, there.heldBy("answers")], [2, 2]);
});

test("the limit is a quarter of what there is, unless it is given", () => {
  assert.deepEqual([memoryOf({ memory: "auto" }, 512 * MIB), memoryOf({ memory: 7 }, MIB)], [128 * MIB, 7]);
});

const asking = fc.record({ caller: fc.constantFrom("a", "b", "c"), amount: fc.integer({ min: 1, max: 5 }) });

test("shares never exceed what there is, and a newcomer finds room beside any number of others", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.array(asking, { maxLength: 200 }), (capacity, all) => {
      const shares = new Shares(capacity, undefined, true);
      for (const { caller } of all) if (shares.admits(caller)) shares.take(caller);
      assert.ok(shares.total <= capacity);
      const held = ["a", "b", "c"].reduce((total, caller) => total + shares.heldBy(caller), 0);
      assert.equal(shares.total, held);
      if (capacity >= 16) assert.ok(shares.admits("newcomer"));
      for (const caller of ["a", "b", "c"]) {
        const before = shares.heldBy(caller);
        if (before === 0) continue;
        shares.give(caller);
        assert.equal(shares.heldBy(caller), before - 1);
        shares.give(caller, before - 1);
      }
      assert.equal(shares.total, 0);
    }),
  );
});

test("a caller that shares with nobody may have everything, and one with a quota that and no more", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 50 }), (capacity, quota) => {
      for (const [shares, most] of [
        [new Shares(capacity, undefined, false), capacity],
        [new Shares(capacity, quota, true), Math.min(capacity, quota)],
      ] as const) {
        while (shares.admits("one")) shares.take("one");
        assert.equal(shares.heldBy("one"), most);
      }
    }),
  );
});
