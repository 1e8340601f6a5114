/** Make before break, as pure steps: who is current, which timer is whose, and what becomes of the one that was. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Disconnect } from "../../../src/core/connection/disconnect.ts";
import { newPair, type Pair, type PairEffect, type PairInput, turn } from "../../../src/core/connection/rotation.ts";
import { availability } from "../../../src/core/connection/session.ts";
import { settings as base, OK } from "./session-model.ts";

const greeting = [{ expect: { match: { "/type": "ok" }, within: 4_000 } }];
const rotate = { every: 100_000, drain: 9_000 };
const settings = { ...base, greeting, reconnect: { ...base.reconnect, rotate } };
const network: Disconnect = { reason: "network", detail: "ECONNREFUSED" };

/** Carries the effects out on sockets that are only names. */
class World {
  pair: Pair = newPair;
  readonly open = new Set<number>();
  readonly retired: number[] = [];
  readonly lost: number[] = [];
  timer: number | undefined;
  nextTimer: number | undefined;
  newest = 0;
  now = 0;
  ended = false;
  random = 0;

  give(input: PairInput): readonly PairEffect[] {
    if (input.type === "dropped") this.open.delete(input.connection);
    const context = { now: this.now, heardAt: 0, random: this.random, proof: "p", settings };
    const { pair, effects } = turn(this.pair, input, context);
    this.pair = pair;
    for (const effect of effects) this.#perform(effect);
    this.#check();
    return effects;
  }

  #perform(effect: PairEffect): void {
    if (effect.type === "connect") {
      assert.ok(!this.ended, "an attempt after the end");
      assert.ok(effect.connection > this.newest, `connection ${effect.connection} twice`);
      this.newest = effect.connection;
      this.open.add(effect.connection);
    } else if (effect.type === "timer") this.timer = effect.ms;
    else if (effect.type === "nextTimer") this.nextTimer = effect.ms;
    else if (effect.type === "promote") {
      this.timer = this.nextTimer;
      this.nextTimer = undefined;
    } else if (effect.type === "retire") this.retired.push(effect.connection);
    else if (effect.type === "lost") this.lost.push(effect.connection);
    else if (effect.type === "destroy" || effect.type === "close") this.open.delete(effect.connection);
  }

  #check(): void {
    const { current, next } = this.pair;
    const alive = [current, next].flatMap((session) =>
      session && "connection" in session.at ? session.at.connection : [],
    );
    assert.equal(new Set(alive).size, alive.length, "two sessions on one socket");
    if (next) assert.equal(current.at.phase, "ready", "a successor of somebody who is not there");
    const timed = (phase: string) => ["greeting", "ready", "waiting", "refused"].includes(phase);
    assert.equal(this.timer !== undefined, timed(current.at.phase), `${current.at.phase}: the timer is ${this.timer}`);
    if (next) assert.equal(this.nextTimer !== undefined, timed(next.at.phase), `next ${next.at.phase}`);
    else assert.equal(this.nextTimer !== undefined, current.at.phase === "ready", "when the next one is due");
  }

  ready(): this {
    this.give({ type: "start" });
    return this.greeted(1);
  }

  greeted(connection: number): this {
    this.give({ type: "opened", connection });
    this.give({ type: "frame", connection, frame: OK });
    return this;
  }

  get linked(): unknown {
    return availability(this.pair.current);
  }
}

test("at its age a connection is succeeded by one that is open and greeted, and only then takes nothing new", () => {
  const world = new World().ready();
  assert.equal(world.nextTimer, 100_000);
  world.give({ type: "nextTimer" });
  assert.deepEqual([world.linked, [...world.open]], [{ type: "ready", connection: 1 }, [1, 2]]);
  world.give({ type: "opened", connection: 2 });
  assert.deepEqual([world.linked, world.retired], [{ type: "ready", connection: 1 }, []]);
  const effects = world.give({ type: "frame", connection: 2, frame: OK });
  assert.deepEqual(world.linked, { type: "ready", connection: 2 });
  assert.deepEqual(
    effects.filter(({ type }) => type === "retire"),
    [{ type: "retire", connection: 1, withinMs: 9_000 }],
  );
  assert.deepEqual([world.lost, world.nextTimer], [[], 100_000]);
  world.give({ type: "dropped", connection: 1, drop: network });
  assert.deepEqual(
    [world.linked, world.lost],
    [{ type: "ready", connection: 2 }, []],
    "its end touches nobody any more",
  );
});

test("an upstream that asks for it on every new connection is left with backoff, until one has lasted", () => {
  const world = new World().ready();
  world.random = 0.5;
  const asksOn = (connection: number) =>
    world.give({ type: "rotate", connection }).map((effect) => "ms" in effect && effect.ms);
  const { from, to } = settings.reconnect;
  asksOn(1);
  assert.equal(world.newest, 2, "the first is left at once");
  for (let connection = 2; connection < 5; connection++) {
    world.greeted(connection);
    assert.deepEqual(asksOn(connection), [from * 2 ** (connection - 2) * 0.5]);
    assert.deepEqual(
      [asksOn(connection), world.newest],
      [[], connection],
      "asking again makes it neither sooner nor later",
    );
    world.give({ type: "nextTimer" });
    assert.equal(world.newest, connection + 1);
  }
  world.greeted(5);
  world.now += to;
  asksOn(5);
  assert.equal(world.newest, 6);
});

test("no connection grows older than it may, and replicas do not all leave theirs at once", () => {
  const world = new World();
  world.random = 0.999;
  assert.equal(world.ready().nextTimer, 75_025);
});

test("a failed attempt leaves the connection as it is, and is made again", () => {
  const world = new World().ready();
  world.give({ type: "rotate", connection: 1 });
  const effects = world.give({ type: "dropped", connection: 2, drop: network });
  assert.deepEqual(effects[0], { type: "notRotated", why: network });
  assert.deepEqual([world.linked, world.lost], [{ type: "ready", connection: 1 }, []]);
  world.give({ type: "nextTimer" });
  world.greeted(3);
  assert.deepEqual([world.linked, world.retired], [{ type: "ready", connection: 3 }, [1]]);
});

test("a connection that ends before its successor is ready is lost, and the successor goes on as far as it has got", () => {
  const world = new World().ready();
  world.give({ type: "rotate", connection: 1 });
  world.give({ type: "opened", connection: 2 });
  world.give({ type: "dropped", connection: 1, drop: network });
  assert.deepEqual([world.lost, world.pair.current.at.phase, world.newest], [[1], "greeting", 2]);
  world.give({ type: "frame", connection: 2, frame: OK });
  assert.deepEqual([world.linked, world.retired], [{ type: "ready", connection: 2 }, []]);
});

test("one rotation at a time, and never for a connection that was left already", () => {
  const world = new World().ready();
  world.give({ type: "rotate", connection: 1 });
  assert.deepEqual(world.give({ type: "rotate", connection: 1 }), []);
  world.greeted(2);
  assert.deepEqual(world.give({ type: "rotate", connection: 1 }), []);
  assert.equal(world.newest, 2);
  world.give({ type: "nextTimer" });
  world.greeted(3);
  assert.deepEqual(world.give({ type: "rotate", connection: 2 }), []);
  assert.equal(world.newest, 3);
});

test("whatever happens: no two sessions on a socket, a timer for each, every connection once, and an end that ends both", () => {
  const connection = fc.nat({ max: 12 });
  const anything: fc.Arbitrary<PairInput> = fc.oneof(
    fc.constantFrom<PairInput>({ type: "start" }, { type: "probe" }, { type: "renew", detail: "test" }),
    fc.record({ type: fc.constant("opened" as const), connection }),
    fc.record({ type: fc.constant("rotate" as const), connection }),
    fc.record({ type: fc.constant("frame" as const), connection, frame: fc.constant(OK) }),
    fc.record({ type: fc.constant("pong" as const), connection, proof: fc.constant("p") }),
    fc.record({ type: fc.constant("dropped" as const), connection, drop: fc.constant(network) }),
    fc.constantFrom<PairInput>({ type: "timer" }, { type: "nextTimer" }),
  );
  // Inputs that fit the moment, so that a run gets somewhere.
  const fitting = fc
    .constantFrom("current", "next")
    .chain((who) => fc.constantFrom("opened", "frame").map((type) => ({ who, type })));
  fc.assert(
    fc.property(fc.array(fc.oneof(anything, fitting), { maxLength: 80, size: "max" }), (all) => {
      const world = new World();
      world.give({ type: "start" });
      for (const one of all) {
        if (!("who" in one)) {
          if (one.type === "timer" && world.timer === undefined) continue;
          if (one.type === "nextTimer" && world.nextTimer === undefined) continue;
          world.give(one);
          continue;
        }
        const session = one.who === "next" ? world.pair.next : world.pair.current;
        if (!session) continue;
        const { connection } = session;
        world.give(one.type === "opened" ? { type: "opened", connection } : { type: "frame", connection, frame: OK });
      }
      world.ended = true;
      world.give({ type: "close", withinMs: 0 });
      assert.deepEqual([world.timer, world.nextTimer, world.pair.next], [undefined, undefined, undefined]);
      const left = [...world.open].filter((connection) => !world.retired.includes(connection));
      assert.deepEqual(left, [], "a socket that nobody ends");
    }),
    { numRuns: 500 },
  );
});
