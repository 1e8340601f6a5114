/** Tests of the timer wheel, by example and against a plain list. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TICK_MS, TimerWheel } from "../../../src/core/util/timer-wheel.ts";

/** A reading of a clock, to the microsecond. */
const clock = (max: number) => fc.double({ min: 0, max, noNaN: true }).map((at) => Math.round(at * 1_000) / 1_000);

/** Moments close together, some of them on tick boundaries. */
const moment = fc.oneof(
  clock(2_000),
  fc.integer({ min: 0, max: 2_000 }),
  fc.integer({ min: 0, max: 200 }).map((tick) => tick * TICK_MS),
);

test("a key is due at the end of its tick, never early and at most one tick late", () => {
  fc.assert(
    fc.property(clock(1e12), (at) => {
      const wheel = new TimerWheel<string>();
      wheel.add("a", at);
      const next = wheel.next();
      assert.ok(next !== undefined && next >= at && next <= at + TICK_MS, `next() is ${next}`);
      if (next > 0) assert.deepEqual(wheel.due(next - Math.max(1e-9, next * Number.EPSILON)), []);
      assert.deepEqual(wheel.due(next), ["a"]);
    }),
  );
});

test("due keys are returned once, the earliest first", () => {
  const wheel = new TimerWheel<string>();
  wheel.add("late", 75);
  wheel.add("early", 12);
  wheel.add("middle", 41);
  assert.deepEqual(wheel.due(60), ["early", "middle"]);
  assert.deepEqual(wheel.due(60), []);
  assert.deepEqual(wheel.due(1_000), ["late"]);
  assert.deepEqual(wheel.due(1_000), []);
});

test("keys of one tick share a wake-up, and removing one keeps the other", () => {
  const wheel = new TimerWheel<string>();
  wheel.add("a", 11);
  wheel.add("b", 19);
  assert.equal(wheel.next(), 20);
  wheel.remove("a", 11);
  assert.equal(wheel.next(), 20);
  assert.deepEqual(wheel.due(20), ["b"]);
});

test("a key can be added again after it was due or removed", () => {
  const wheel = new TimerWheel<string>();
  wheel.add("a", 10);
  assert.deepEqual(wheel.due(10), ["a"]);
  wheel.add("a", 30);
  wheel.remove("a", 30);
  wheel.add("a", 50);
  assert.deepEqual(wheel.due(49), []);
  assert.deepEqual(wheel.due(50), ["a"]);
});

test("removing an unknown key changes nothing", () => {
  const wheel = new TimerWheel<string>();
  wheel.add("a", 10);
  wheel.remove("b", 10);
  wheel.remove("b", 500);
  assert.deepEqual(wheel.due(10), ["a"]);
  wheel.remove("a", 10);
  assert.equal(wheel.next(), undefined);
});

test("an empty wheel has no next moment, even after its keys were removed", () => {
  const wheel = new TimerWheel<string>();
  assert.equal(wheel.next(), undefined);
  wheel.add("a", 10);
  wheel.remove("a", 10);
  assert.equal(wheel.next(), undefined);
  wheel.add("b", 2_000);
  assert.equal(wheel.next(), 2_000, "the wheel remembers the moment of a removed key");
});

test("a wake-up for a removed key is followed by the moment of a remaining one", () => {
  const wheel = new TimerWheel<string>();
  wheel.add("gone", 10);
  wheel.add("kept", 90);
  wheel.remove("gone", 10);
  const first = wheel.next();
  assert.ok(first !== undefined && first <= 90);
  assert.deepEqual(wheel.due(first), []);
  assert.equal(wheel.next(), 90);
});

/** A plain list of keys and moments. */
interface Model {
  readonly deadlines: Map<number, number>;
  keys: number;
  now: number;
}

type Command = fc.Command<Model, TimerWheel<number>>;

class Add implements Command {
  readonly in: number;
  constructor(within: number) {
    this.in = within;
  }
  check(): boolean {
    return true;
  }
  run(model: Model, real: TimerWheel<number>): void {
    const key = model.keys++;
    model.deadlines.set(key, model.now + this.in);
    real.add(key, model.now + this.in);
    checkNext(model, real);
  }
  toString(): string {
    return `add(in ${this.in})`;
  }
}

class Remove implements Command {
  readonly which: number;
  constructor(which: number) {
    this.which = which;
  }
  check(model: Readonly<Model>): boolean {
    return model.deadlines.size > 0;
  }
  run(model: Model, real: TimerWheel<number>): void {
    const [key, at] = [...model.deadlines][this.which % model.deadlines.size] ?? [0, 0];
    model.deadlines.delete(key);
    real.remove(key, at);
    checkNext(model, real);
  }
  toString(): string {
    return `remove(${this.which})`;
  }
}

class Due implements Command {
  readonly after: number;
  constructor(after: number) {
    this.after = after;
  }
  check(): boolean {
    return true;
  }
  run(model: Model, real: TimerWheel<number>): void {
    model.now += this.after;
    const dueKeys = real.due(model.now);
    for (const key of dueKeys) {
      const at = model.deadlines.get(key);
      assert.ok(at !== undefined, `${key} is due without having been added`);
      assert.ok(at <= model.now, `${key} is due early`);
      model.deadlines.delete(key);
    }
    for (const [key, at] of model.deadlines) assert.ok(at + TICK_MS > model.now, `${key} is more than a tick late`);
    checkNext(model, real);
  }
  toString(): string {
    return `due(${this.after} later)`;
  }
}

function checkNext(model: Model, real: TimerWheel<number>): void {
  const next = real.next();
  assert.equal(next === undefined, model.deadlines.size === 0);
  if (next === undefined) return;
  const earliest = Math.min(...model.deadlines.values());
  assert.ok(next <= earliest + TICK_MS, `next() is ${next}, but a key is due at ${earliest}`);
}

test("the wheel agrees with a plain list, whatever is added, removed and due", () => {
  const commands = fc.commands(
    [
      moment.map((within) => new Add(within)),
      fc.nat().map((which) => new Remove(which)),
      moment.map((after) => new Due(after)),
    ],
    { maxCommands: 60, size: "max" },
  );
  fc.assert(
    fc.property(commands, moment, (all, now) => {
      const setup = () => ({
        model: { deadlines: new Map<number, number>(), keys: 0, now },
        real: new TimerWheel<number>(),
      });
      fc.modelRun(setup, all);
    }),
    { numRuns: 300 },
  );
});

test("an owner that wakes up only at next() gets every key, at most one tick late", () => {
  fc.assert(
    fc.property(fc.array(moment, { maxLength: 40, size: "max" }), fc.func(fc.boolean()), (moments, keeps) => {
      const wheel = new TimerWheel<number>();
      moments.forEach((at, key) => {
        wheel.add(key, at);
      });
      const wanted = [...moments.keys()].filter((key) => keeps(key));
      for (const [key, at] of moments.entries()) if (!wanted.includes(key)) wheel.remove(key, at);
      const dueKeys: number[] = [];
      for (let now = wheel.next(), wakeUps = 0; now !== undefined; now = wheel.next(), wakeUps++) {
        assert.ok(wakeUps <= moments.length + 1, "the owner wakes up too often");
        for (const key of wheel.due(now)) {
          dueKeys.push(key);
          const late = now - (moments[key] ?? Number.NaN);
          assert.ok(late >= 0 && late <= TICK_MS, `${key} is due ${late} ms late`);
        }
      }
      assert.deepEqual(
        dueKeys.sort((a, b) => a - b),
        wanted,
      );
    }),
  );
});
