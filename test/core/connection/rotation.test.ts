/** Tests of the rotation: the current session, the two timers, and the fate of a replaced connection. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { availability as availabilityOf } from "../../../src/core/connection/availability.ts";
import { nothingCaptured } from "../../../src/core/connection/captured-values.ts";
import type { Disconnect } from "../../../src/core/connection/disconnect.ts";
import { NO_TRAFFIC } from "../../../src/core/connection/liveness.ts";
import {
  newRotation,
  type Rotation,
  type RotationEffect,
  type RotationInput,
  stepRotation,
} from "../../../src/core/connection/rotation.ts";
import { settings as base, OK } from "./session-model.ts";

const greeting = [{ expect: { match: { "/type": "ok" }, within: 4_000 } }];
const rotate = { every: 100_000, drain: 9_000 };
const settings = { ...base, greeting, reconnect: { ...base.reconnect, rotate } };
const network: Disconnect = { reason: "network", detail: "ECONNREFUSED" };

/** Carries out the effects on simulated sockets, and checks the invariants after each step. */
class World {
  rotation: Rotation = newRotation;
  readonly open = new Set<number>();
  readonly retired: number[] = [];
  readonly lost: number[] = [];
  timer: number | undefined;
  rotationTimer: number | undefined;
  newest = 0;
  now = 0;
  ended = false;
  random = 0;

  give(input: RotationInput): readonly RotationEffect[] {
    if (input.type === "dropped") this.open.delete(input.connection);
    const context = {
      now: this.now,
      lastActivityAt: 0,
      traffic: NO_TRAFFIC,
      secrets: [],
      captured: nothingCaptured,
      canResume: false,
      random: this.random,
      proof: "p",
      settings,
    };
    const { rotation, effects } = stepRotation(this.rotation, input, context);
    this.rotation = rotation;
    for (const effect of effects) this.#perform(effect);
    this.#check();
    return effects;
  }

  #perform(effect: RotationEffect): void {
    if (effect.type === "connect") {
      assert.ok(!this.ended, "an attempt after the close");
      assert.ok(effect.connection > this.newest, `connection ${effect.connection} is used twice`);
      this.newest = effect.connection;
      this.open.add(effect.connection);
    } else if (effect.type === "timer") this.timer = effect.ms;
    else if (effect.type === "rotationTimer") this.rotationTimer = effect.ms;
    else if (effect.type === "promote") {
      this.timer = this.rotationTimer;
      this.rotationTimer = undefined;
    } else if (effect.type === "retire") this.retired.push(effect.connection);
    else if (effect.type === "lost") this.lost.push(effect.connection);
    else if (effect.type === "destroy" || effect.type === "close") this.open.delete(effect.connection);
  }

  #check(): void {
    const { current, successor } = this.rotation;
    const alive = [current, successor].flatMap((session) =>
      session && "connection" in session.at ? session.at.connection : [],
    );
    assert.equal(new Set(alive).size, alive.length, "two sessions share a socket");
    if (successor) assert.equal(current.at.phase, "ready", "a successor without a current connection");
    const timed = (phase: string) => ["greeting", "ready", "waiting", "refused"].includes(phase);
    assert.equal(this.timer !== undefined, timed(current.at.phase), `${current.at.phase}: the timer is ${this.timer}`);
    if (successor)
      assert.equal(this.rotationTimer !== undefined, timed(successor.at.phase), `successor ${successor.at.phase}`);
    else
      assert.equal(
        this.rotationTimer !== undefined,
        current.at.phase === "ready",
        "a rotation is scheduled only while ready",
      );
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

  get availability(): unknown {
    return availabilityOf(this.rotation.current);
  }
}

test("a connection that has reached its age retires only once its successor is open and greeted", () => {
  const world = new World().ready();
  assert.equal(world.rotationTimer, 100_000);
  world.give({ type: "rotationTimer" });
  assert.deepEqual([world.availability, [...world.open]], [{ type: "ready", connection: 1 }, [1, 2]]);
  world.give({ type: "opened", connection: 2 });
  assert.deepEqual([world.availability, world.retired], [{ type: "ready", connection: 1 }, []]);
  const effects = world.give({ type: "frame", connection: 2, frame: OK });
  assert.deepEqual(world.availability, { type: "ready", connection: 2 });
  assert.deepEqual(
    effects.filter(({ type }) => type === "retire"),
    [{ type: "retire", connection: 1, withinMs: 9_000 }],
  );
  assert.deepEqual([world.lost, world.rotationTimer], [[], 100_000]);
  world.give({ type: "dropped", connection: 1, disconnect: network });
  assert.deepEqual(
    [world.availability, world.lost],
    [{ type: "ready", connection: 2 }, []],
    "the end of a retired connection loses nothing",
  );
});

test("rotation requests on every new connection are delayed with backoff, until a connection has lasted", () => {
  const world = new World().ready();
  world.random = 0.5;
  const requestOn = (connection: number) =>
    world.give({ type: "rotate", connection }).map((effect) => "ms" in effect && effect.ms);
  const { from, to } = settings.reconnect;
  requestOn(1);
  assert.equal(world.newest, 2, "the first request is honored at once");
  for (let connection = 2; connection < 5; connection++) {
    world.greeted(connection);
    assert.deepEqual(requestOn(connection), [from * 2 ** (connection - 2) * 0.5]);
    assert.deepEqual(
      [requestOn(connection), world.newest],
      [[], connection],
      "a repeated request makes it neither sooner nor later",
    );
    world.give({ type: "rotationTimer" });
    assert.equal(world.newest, connection + 1);
  }
  world.greeted(5);
  world.now += to;
  requestOn(5);
  assert.equal(world.newest, 6);
});

test("a rotation comes at the configured age or sooner, so that replicas do not all rotate at once", () => {
  const world = new World();
  world.random = 0.999;
  assert.equal(world.ready().rotationTimer, 75_025);
});

test("a failed attempt at a successor keeps the current connection and is retried", () => {
  const world = new World().ready();
  world.give({ type: "rotate", connection: 1 });
  const effects = world.give({ type: "dropped", connection: 2, disconnect: network });
  assert.deepEqual(effects[0], { type: "rotationFailed", cause: network });
  assert.deepEqual([world.availability, world.lost], [{ type: "ready", connection: 1 }, []]);
  world.give({ type: "rotationTimer" });
  world.greeted(3);
  assert.deepEqual([world.availability, world.retired], [{ type: "ready", connection: 3 }, [1]]);
});

test("a connection that ends before its successor is ready is lost, and the successor continues from its phase", () => {
  const world = new World().ready();
  world.give({ type: "rotate", connection: 1 });
  world.give({ type: "opened", connection: 2 });
  world.give({ type: "dropped", connection: 1, disconnect: network });
  assert.deepEqual([world.lost, world.rotation.current.at.phase, world.newest], [[1], "greeting", 2]);
  world.give({ type: "frame", connection: 2, frame: OK });
  assert.deepEqual([world.availability, world.retired], [{ type: "ready", connection: 2 }, []]);
});

test("rotations run one at a time, and never for a connection that was already replaced", () => {
  const world = new World().ready();
  world.give({ type: "rotate", connection: 1 });
  assert.deepEqual(world.give({ type: "rotate", connection: 1 }), []);
  world.greeted(2);
  assert.deepEqual(world.give({ type: "rotate", connection: 1 }), []);
  assert.equal(world.newest, 2);
  world.give({ type: "rotationTimer" });
  world.greeted(3);
  assert.deepEqual(world.give({ type: "rotate", connection: 2 }), []);
  assert.equal(world.newest, 3);
});

test("settings that need a new connection replace the one that serves, and begin the attempt under way again", () => {
  const world = new World();
  world.give({ type: "start" });
  world.give({ type: "settings", anew: true });
  assert.deepEqual([[...world.open], world.newest, world.lost], [[2], 2, [1]], "the attempt begins again");
  world.greeted(2);
  world.give({ type: "settings", anew: true });
  assert.deepEqual([world.availability, [...world.open]], [{ type: "ready", connection: 2 }, [2, 3]]);
  world.give({ type: "settings", anew: true });
  assert.deepEqual([world.availability, [...world.open]], [{ type: "ready", connection: 2 }, [2, 4]]);
  world.greeted(4);
  assert.deepEqual([world.availability, world.retired], [{ type: "ready", connection: 4 }, [2]]);
});

test("settings that need a new connection are tried at once, whatever the former ones had failed with", () => {
  for (const status of [503, 401]) {
    const world = new World();
    world.give({ type: "start" });
    world.give({ type: "dropped", connection: 1, disconnect: { reason: "status", status } });
    world.give({ type: "settings", anew: false });
    assert.equal(world.newest, 1, "other settings wait");
    world.give({ type: "settings", anew: true });
    assert.deepEqual([world.newest, world.rotation.current.failures], [2, 0]);
  }
});

test("other settings leave the connection, and its rotation comes at the age that they give", () => {
  const world = new World().ready();
  world.now = 40_000;
  const effects = world.give({ type: "settings", anew: false });
  assert.deepEqual([world.newest, world.rotationTimer], [1, 60_000]);
  assert.ok(
    effects.some(({ type }) => type === "ping"),
    "the peer is checked by the new settings from here on",
  );
});

test("a replaced connection has time for its replies although no setting says how much", () => {
  const context = {
    now: 0,
    lastActivityAt: 0,
    traffic: NO_TRAFFIC,
    secrets: [],
    captured: nothingCaptured,
    canResume: false,
    random: 0,
    proof: "p",
    settings: base,
  };
  const plain = { ...context, settings: { ...base, greeting: [] } };
  const given = [
    { type: "start" },
    { type: "opened", connection: 1 },
    { type: "settings", anew: true },
    { type: "opened", connection: 2 },
  ] as const;
  let rotation = newRotation;
  let last: readonly RotationEffect[] = [];
  for (const input of given) ({ rotation, effects: last } = stepRotation(rotation, input, plain));
  assert.deepEqual(
    last.find(({ type }) => type === "retire"),
    { type: "retire", connection: 1, withinMs: 30_000 },
  );
});

test("sessions never share a socket, each has its timer, no connection repeats, and a close ends both", () => {
  const connection = fc.nat({ max: 12 });
  const anyInput: fc.Arbitrary<RotationInput> = fc.oneof(
    fc.constantFrom<RotationInput>({ type: "start" }, { type: "probe" }, { type: "renew", detail: "test" }),
    fc.record({ type: fc.constant("opened" as const), connection }),
    fc.record({ type: fc.constant("rotate" as const), connection }),
    fc.record({ type: fc.constant("frame" as const), connection, frame: fc.constant(OK) }),
    fc.record({ type: fc.constant("pong" as const), connection, proof: fc.constant("p") }),
    fc.record({ type: fc.constant("dropped" as const), connection, disconnect: fc.constant(network) }),
    fc.constantFrom<RotationInput>({ type: "timer" }, { type: "rotationTimer" }),
    fc.record({ type: fc.constant("settings" as const), anew: fc.boolean() }),
  );
  // Inputs that fit the current state, so that a run makes progress.
  const fitting = fc
    .constantFrom("current" as const, "successor" as const)
    .chain((role) => fc.constantFrom("opened", "frame").map((type) => ({ role, type })));
  fc.assert(
    fc.property(fc.array(fc.oneof(anyInput, fitting), { maxLength: 80, size: "max" }), (all) => {
      const world = new World();
      world.give({ type: "start" });
      for (const one of all) {
        if (!("role" in one)) {
          if (one.type === "timer" && world.timer === undefined) continue;
          if (one.type === "rotationTimer" && world.rotationTimer === undefined) continue;
          world.give(one);
          continue;
        }
        const session = world.rotation[one.role];
        if (!session) continue;
        const { connection } = session;
        world.give(one.type === "opened" ? { type: "opened", connection } : { type: "frame", connection, frame: OK });
      }
      world.ended = true;
      world.give({ type: "close", withinMs: 0 });
      assert.deepEqual([world.timer, world.rotationTimer, world.rotation.successor], [undefined, undefined, undefined]);
      const left = [...world.open].filter((connection) => !world.retired.includes(connection));
      assert.deepEqual(left, [], "a socket is never closed");
    }),
    { numRuns: 500 },
  );
});
