import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TICK_MS, TimerWheel } from "../../../src/core/util/timer-wheel.ts";

/** A moment as a clock gives it, to the microsecond. */
const clock = (max: number) => fc.double({ min: 0, max, noNaN: true }).map((at) => Math.round(at * 1_000) / 1_000);

/** Moments close together, some of them on the borders of ticks. */
const moment = fc.oneof(
  clock(2_000),
  fc.integer({ min: 0, max: 2_000 }),
  fc.integer({ min: 0, max: 200 }).map((tick) => tick * TICK_MS),
);

test("a key is due at the end of its tick: not before its moment, and at most one tick after it", () => {
  fc.assert(
    fc.property(clock(1e12), (at) => {
      const deadlines = new TimerWheel<string>();
      deadlines.add("a", at);
      const next = deadlines.next();
      assert.ok(next !== undefined && next >= at && next <= at + TICK_MS, `next() is ${next}`);
      if (next > 0) assert.deepEqual(deadlines.due(next - Math.max(1e-9, next * Number.EPSILON)), []);
      assert.deepEqual(deadlines.due(next), ["a"]);
    }),
  );
});

test("a key that is due comes once, and the earliest first", () => {
  const deadlines = new TimerWheel<string>();
  deadlines.add("late", 75);
  deadlines.add("early", 12);
  deadlines.add("middle", 41);
  assert.deepEqual(deadlines.due(60), ["early", "middle"]);
  assert.deepEqual(deadlines.due(60), []);
  assert.deepEqual(deadlines.due(1_000), ["late"]);
  assert.deepEqual(deadlines.due(1_000), []);
});

test("keys of one tick share a wake-up, and removing one leaves the other", () => {
  const deadlines = new TimerWheel<string>();
  deadlines.add("a", 11);
  deadlines.add("b", 19);
  assert.equal(deadlines.next(), 20);
  deadlines.remove("a", 11);
  assert.equal(deadlines.next(), 20);
  assert.deepEqual(deadlines.due(20), ["b"]);
});

test("a key may be filed anew after it was due or taken back", () => {
  const deadlines = new TimerWheel<string>();
  deadlines.add("a", 10);
  assert.deepEqual(deadlines.due(10), ["a"]);
  deadlines.add("a", 30);
  deadlines.remove("a", 30);
  deadlines.add("a", 50);
  assert.deepEqual(deadlines.due(49), []);
  assert.deepEqual(deadlines.due(50), ["a"]);
});

test("taking back what is not filed changes nothing", () => {
  const deadlines = new TimerWheel<string>();
  deadlines.add("a", 10);
  deadlines.remove("b", 10);
  deadlines.remove("b", 500);
  assert.deepEqual(deadlines.due(10), ["a"]);
  deadlines.remove("a", 10);
  assert.equal(deadlines.next(), undefined);
});

test("with nothing filed there is no next moment, also after everything was taken back", () => {
  const deadlines = new TimerWheel<string>();
  assert.equal(deadlines.next(), undefined);
  deadlines.add("a", 10);
  deadlines.remove("a", 10);
  assert.equal(deadlines.next(), undefined);
  deadlines.add("b", 2_000);
  assert.equal(deadlines.next(), 2_000, "the wheel remembers a moment that nobody waits for");
});

test("after a wake-up for nothing the next moment is a real one again", () => {
  const deadlines = new TimerWheel<string>();
  deadlines.add("gone", 10);
  deadlines.add("kept", 90);
  deadlines.remove("gone", 10);
  const first = deadlines.next();
  assert.ok(first !== undefined && first <= 90);
  assert.deepEqual(deadlines.due(first), []);
  assert.equal(deadlines.next(), 90);
});

// The model: a list of keys and moments, looked through from end to end.

interface Naive {
  readonly filed: Map<number, number>;
  keys: number;
  now: number;
}

type Command = fc.Command<Naive, TimerWheel<number>>;

class Add implements Command {
  readonly in: number;
  constructor(within: number) {
    this.in = within;
  }
  check(): boolean {
    return true;
  }
  run(naive: Naive, real: TimerWheel<number>): void {
    const key = naive.keys++;
    naive.filed.set(key, naive.now + this.in);
    real.add(key, naive.now + this.in);
    checkNext(naive, real);
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
  check(naive: Readonly<Naive>): boolean {
    return naive.filed.size > 0;
  }
  run(naive: Naive, real: TimerWheel<number>): void {
    const [key, at] = [...naive.filed][this.which % naive.filed.size] ?? [0, 0];
    naive.filed.delete(key);
    real.remove(key, at);
    checkNext(naive, real);
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
  run(naive: Naive, real: TimerWheel<number>): void {
    naive.now += this.after;
    const came = real.due(naive.now);
    for (const key of came) {
      const at = naive.filed.get(key);
      assert.ok(at !== undefined, `${key} came, and is not filed`);
      assert.ok(at <= naive.now, `${key} came early`);
      naive.filed.delete(key);
    }
    for (const [key, at] of naive.filed) assert.ok(at + TICK_MS > naive.now, `${key} is more than a tick late`);
    checkNext(naive, real);
  }
  toString(): string {
    return `due(${this.after} later)`;
  }
}

function checkNext(naive: Naive, real: TimerWheel<number>): void {
  const next = real.next();
  assert.equal(next === undefined, naive.filed.size === 0);
  if (next === undefined) return;
  const earliest = Math.min(...naive.filed.values());
  assert.ok(next <= earliest + TICK_MS, `next() is ${next}, but a key is filed for ${earliest}`);
}

test("whatever is filed, taken back and waited for, the wheel agrees with a plain list", () => {
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
        model: { filed: new Map<number, number>(), keys: 0, now },
        real: new TimerWheel<number>(),
      });
      fc.modelRun(setup, all);
    }),
    { numRuns: 300 },
  );
});

test("an owner that wakes up only when asked to finds every key, at most one tick late", () => {
  fc.assert(
    fc.property(fc.array(moment, { maxLength: 40, size: "max" }), fc.func(fc.boolean()), (moments, keeps) => {
      const deadlines = new TimerWheel<number>();
      moments.forEach((at, key) => {
        deadlines.add(key, at);
      });
      const wanted = [...moments.keys()].filter((key) => keeps(key));
      for (const [key, at] of moments.entries()) if (!wanted.includes(key)) deadlines.remove(key, at);
      const came: number[] = [];
      for (let now = deadlines.next(), wakeUps = 0; now !== undefined; now = deadlines.next(), wakeUps++) {
        assert.ok(wakeUps <= moments.length + 1, "the owner spins");
        for (const key of deadlines.due(now)) {
          came.push(key);
          const late = now - (moments[key] ?? Number.NaN);
          assert.ok(late >= 0 && late <= TICK_MS, `${key} came ${late} ms late`);
        }
      }
      assert.deepEqual(
        came.sort((a, b) => a - b),
        wanted,
      );
    }),
  );
});
