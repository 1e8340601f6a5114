/** The liveness ladder as the session climbs it: each rung alone, and all of them together. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { availability, listens, type SessionContext } from "../../../src/core/connection/session.ts";
import { OK, OTHER, SessionModel, settings } from "./session-model.ts";

const never = 2 ** 31 - 1;
const unpinged = { ...settings.keepalive, ping: never };
const heartbeat = { send: { type: "ping" }, every: 7_000, expect: { match: { "/type": "ok" } }, within: 2_000 };

function readyWith(keepalive: Partial<SessionContext["settings"]["keepalive"]>): SessionModel {
  const model = new SessionModel();
  model.settings = { ...settings, greeting: [], keepalive: { ...unpinged, ...keepalive } };
  model.give({ type: "start" });
  model.opened();
  return model;
}

/** Fires until something else than `ready` comes of it. Gives the milliseconds that took. */
function untilFound(model: SessionModel): number {
  const since = model.now;
  for (let n = 0; model.phase === "ready"; n++) {
    assert.ok(n < 1_000, "the peer is never found");
    model.fire();
  }
  return model.now - since;
}

const why = (model: SessionModel): string => JSON.stringify(availability(model.session));

test("an unanswered ping finds the peer within the interval and the deadline", () => {
  const model = readyWith({ ping: 15_000 });
  assert.equal(untilFound(model), 20_000);
  assert.match(why(model), /keepalive\.pong_within/);
});

test("an unanswered heartbeat finds the peer within the interval and the deadline", () => {
  const model = readyWith({ heartbeat });
  assert.equal(untilFound(model), 9_000);
  assert.deepEqual(model.sent, ['{"type":"ping"}']);
  assert.match(why(model), /keepalive\.heartbeat\.within/);
});

test("silence finds the peer, however well it answers pings", () => {
  const model = readyWith({ ping: 1_000, silence: 10_500 });
  for (let n = 0; n < 20 && model.phase === "ready"; n++) {
    model.fire();
    if (model.phase === "ready") model.give({ type: "pong", connection: model.connection, proof: model.pinged ?? "" });
  }
  assert.deepEqual([model.phase, model.now], ["waiting", 10_500]);
  assert.match(why(model), /keepalive\.silence/);
});

test("what the peer says moves the silence on, without a timer being set for each frame", () => {
  const model = readyWith({ silence: 10_000 });
  model.now = model.heardAt = 9_000;
  assert.equal(model.timer, 10_000);
  model.fire();
  assert.deepEqual([model.phase, model.timer], ["ready", 19_000]);
  model.fire();
  assert.equal(model.phase, "waiting");
});

test("the heartbeat's answer is nobody else's; every other frame is", () => {
  const model = readyWith({ heartbeat });
  assert.ok(!listens(model.session, model.connection));
  assert.deepEqual(model.frame(OK), [{ type: "frame", connection: 1, frame: OK }], "nothing was asked yet");
  model.fire();
  assert.ok(listens(model.session, model.connection));
  assert.deepEqual(model.frame(OTHER), [{ type: "frame", connection: 1, frame: OTHER }]);
  assert.deepEqual(model.frame(OK), [{ type: "timer", ms: 7_000 }]);
  assert.deepEqual(model.frame(OK), [{ type: "frame", connection: 1, frame: OK }], "one answer for one heartbeat");
  assert.ok(!listens(model.session, model.connection + 1));
});

test("a heartbeat without an expected answer is sent, and blames nobody", () => {
  const model = readyWith({ heartbeat: { send: "BEAT", every: 5_000, within: 1 } });
  for (let n = 0; n < 4; n++) model.fire();
  assert.deepEqual([model.phase, model.now, model.sent], ["ready", 20_000, ["BEAT", "BEAT", "BEAT", "BEAT"]]);
});

test("who was asleep itself gives the peer one more ping, and no more than one", () => {
  const rungs: [Partial<SessionContext["settings"]["keepalive"]>, number][] = [
    [{ ping: 1_000 }, 1],
    [{ heartbeat }, 1],
    [{ silence: 3_000 }, 0],
  ];
  for (const [keepalive, asked] of rungs) {
    const model = readyWith(keepalive);
    for (let n = 0; n < asked; n++) model.fire();
    model.now += 60_000;
    model.give({ type: "timer" });
    assert.equal(model.phase, "ready", JSON.stringify(keepalive));
    assert.equal(model.timer, model.now + Math.min(5_000, keepalive.silence ?? never));
    const woke = model.now;
    assert.ok(untilFound(model) <= 5_000, `${model.now - woke} ms`);
    assert.deepEqual([...model.sockets.keys()], [1], "one connection in all that time");
  }
});

test("whichever rungs there are, a dead peer is found by the quickest of them, and a living one never", () => {
  const ms = fc.integer({ min: 1, max: 60_000 });
  const all = fc.record({
    ping: ms,
    pong_within: ms,
    silence: fc.option(ms),
    heartbeat: fc.option(
      fc.record({ send: fc.constant("B"), every: ms, expect: fc.constant(heartbeat.expect), within: ms }),
    ),
  });
  fc.assert(
    fc.property(all, (keepalive) => {
      const bound = Math.min(
        keepalive.ping + keepalive.pong_within,
        keepalive.silence ?? never,
        keepalive.heartbeat ? keepalive.heartbeat.every + keepalive.heartbeat.within : never,
      );
      assert.equal(untilFound(readyWith(keepalive)), bound);
      const living = readyWith(keepalive);
      for (let n = 0; n < 50 && living.phase === "ready"; n++) {
        living.fire();
        if (living.phase !== "ready") break;
        living.frame(OK);
        if (living.pinged) living.give({ type: "pong", connection: 1, proof: living.pinged });
      }
      // One that talks only when it is asked may be too quiet for the watchdog, and for that alone.
      if (keepalive.silence === null) assert.equal(living.phase, "ready");
    }),
    { numRuns: 300 },
  );
});
