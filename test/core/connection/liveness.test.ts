/** Tests of the liveness ladder as driven by the session: each rung alone, and all of them together. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MAX_DURATION_MS } from "../../../src/config/units.ts";
import { availability } from "../../../src/core/connection/availability.ts";
import { wantsFrames } from "../../../src/core/connection/session.ts";
import type { SessionContext } from "../../../src/core/connection/session-state.ts";
import { OK, OTHER, SessionModel, settings } from "./session-model.ts";

const never = MAX_DURATION_MS;
const unpinged = { ...settings.keepalive, ping: never };
const heartbeat = { send: { type: "ping" }, every: 7_000, expect: { match: { "/type": "ok" } }, within: 2_000 };

function readyWith(keepalive: Partial<SessionContext["settings"]["keepalive"]>): SessionModel {
  const model = new SessionModel();
  model.settings = { ...settings, greeting: [], keepalive: { ...unpinged, ...keepalive } };
  model.give({ type: "start" });
  model.opened();
  return model;
}

/** Fires the timer until the session leaves `ready`. Returns the milliseconds that this took. */
function detectionMs(model: SessionModel): number {
  const start = model.now;
  for (let n = 0; model.phase === "ready"; n++) {
    assert.ok(n < 1_000, "the dead peer is never detected");
    model.fire();
  }
  return model.now - start;
}

const cause = (model: SessionModel): string => JSON.stringify(availability(model.session));

test("an unanswered ping detects a dead peer within the interval plus the deadline", () => {
  const model = readyWith({ ping: 15_000 });
  assert.equal(detectionMs(model), 20_000);
  assert.match(cause(model), /keepalive\.pong_within/);
});

test("an unanswered heartbeat detects a dead peer within the interval plus the deadline", () => {
  const model = readyWith({ heartbeat });
  assert.equal(detectionMs(model), 9_000);
  assert.deepEqual(model.sent, ['{"type":"ping"}']);
  assert.match(cause(model), /keepalive\.heartbeat\.within/);
});

test("silence detects a dead peer even if it answers every ping", () => {
  const model = readyWith({ ping: 1_000, silence: 10_500 });
  for (let n = 0; n < 20 && model.phase === "ready"; n++) {
    model.fire();
    if (model.phase === "ready") model.give({ type: "pong", connection: model.connection, proof: model.pinged ?? "" });
  }
  assert.deepEqual([model.phase, model.now], ["waiting", 10_500]);
  assert.match(cause(model), /keepalive\.silence/);
});

test("frames postpone the silence deadline without setting a timer each", () => {
  const model = readyWith({ silence: 10_000 });
  model.now = model.lastActivityAt = 9_000;
  assert.equal(model.timer, 10_000);
  model.fire();
  assert.deepEqual([model.phase, model.timer], ["ready", 19_000]);
  model.fire();
  assert.equal(model.phase, "waiting");
});

test("the reply to a heartbeat is consumed, and every other frame handed on", () => {
  const model = readyWith({ heartbeat });
  assert.ok(wantsFrames(model.session, model.connection), "the first frame shows that there is traffic");
  model.frame(OTHER);
  assert.ok(!wantsFrames(model.session, model.connection));
  assert.deepEqual(model.frame(OK), [{ type: "frame", connection: 1, frame: OK }], "no heartbeat was sent yet");
  assert.ok(!wantsFrames(model.session, model.connection));
  model.fire();
  assert.ok(wantsFrames(model.session, model.connection));
  assert.deepEqual(model.frame(OTHER), [{ type: "frame", connection: 1, frame: OTHER }]);
  assert.deepEqual(model.frame(OK), [{ type: "timer", ms: 7_000 }]);
  assert.deepEqual(model.frame(OK), [{ type: "frame", connection: 1, frame: OK }], "one reply for one heartbeat");
  assert.ok(!wantsFrames(model.session, model.connection));
  assert.ok(!wantsFrames(model.session, model.connection + 1));
});

test("a heartbeat without an expected reply is sent and has no deadline", () => {
  const model = readyWith({ heartbeat: { send: "BEAT", every: 5_000, within: 1 } });
  for (let n = 0; n < 4; n++) model.fire();
  assert.deepEqual([model.phase, model.now, model.sent], ["ready", 20_000, ["BEAT", "BEAT", "BEAT", "BEAT"]]);
});

test("a session that was suspended gives the peer one more ping, and only one", () => {
  const rungs: [Partial<SessionContext["settings"]["keepalive"]>, number][] = [
    [{ ping: 1_000 }, 1],
    [{ heartbeat }, 1],
    [{ silence: 3_000 }, 0],
  ];
  for (const [keepalive, sends] of rungs) {
    const model = readyWith(keepalive);
    for (let n = 0; n < sends; n++) model.fire();
    model.now += 60_000;
    model.give({ type: "timer" });
    assert.equal(model.phase, "ready", JSON.stringify(keepalive));
    assert.equal(model.timer, model.now + Math.min(5_000, keepalive.silence ?? never));
    const woke = model.now;
    assert.ok(detectionMs(model) <= 5_000, `${model.now - woke} ms`);
    assert.deepEqual([...model.sockets.keys()], [1], "the connection is kept all that time");
  }
});

/** Fires the timer after bytes of a frame that is still arriving were read. */
function receive(model: SessionModel): void {
  model.traffic = { ...model.traffic, read: model.traffic.read + 1 };
  model.fire();
}

test("a peer whose bytes are arriving is never given up, and once they stop it is found within one deadline", () => {
  for (const [keepalive, deadline] of [
    [{ ping: 15_000 }, 5_000],
    [{ heartbeat }, 2_000],
    [{ silence: 3_000 }, 3_000],
  ] as const) {
    const model = readyWith(keepalive);
    for (let n = 0; n < 50; n++) receive(model);
    assert.equal(model.phase, "ready", JSON.stringify(keepalive));
    assert.equal(detectionMs(model), deadline, JSON.stringify(keepalive));
  }
});

test("a reply that waited behind a long frame has a whole deadline from the end of that frame", () => {
  const model = readyWith({ heartbeat });
  for (let n = 0; n < 3; n++) receive(model);
  const read = model.traffic.read + 1;
  model.traffic = { ...model.traffic, read, framed: read, longFrameEndedAt: model.now + 1_900 };
  model.fire();
  assert.equal(model.phase, "ready", "the frame has ended just before the deadline");
  model.traffic = { ...model.traffic, read: read + 1, framed: read + 1 };
  assert.equal(detectionMs(model), 1_900, "another frame that is not the reply is no excuse");
});

test("a long frame that has ended before the heartbeat was sent is no excuse for its reply", () => {
  const model = readyWith({ heartbeat });
  model.traffic = { ...model.traffic, read: 9, framed: 9, longFrameEndedAt: model.now };
  model.fire();
  assert.equal(detectionMs(model), 2_000);
});

test("only bytes of an unfinished frame postpone the heartbeat and the silence: pongs and other frames do not", () => {
  for (const keepalive of [{ heartbeat }, { silence: 3_000 }]) {
    const model = readyWith(keepalive);
    for (let n = 0; n < 3 && model.phase === "ready"; n++) {
      model.traffic = { ...model.traffic, read: n + 1, framed: n + 1 };
      model.fire();
    }
    assert.equal(model.phase, "waiting", JSON.stringify(keepalive));
  }
});

test("a ping that is still in our buffer waits while bytes leave, and its pong's clock starts when it has left", () => {
  const model = readyWith({ ping: 15_000 });
  model.fire();
  const proof = model.pinged ?? "";
  for (let n = 1; n < 10; n++) {
    model.traffic = { ...model.traffic, sent: n };
    model.fire();
    assert.equal(model.phase, "ready");
  }
  model.now += 4_000;
  assert.deepEqual(model.give({ type: "pingSent", connection: 1, proof: "another" }), []);
  model.give({ type: "pingSent", connection: 1, proof });
  model.traffic = { ...model.traffic, sent: 10 };
  assert.equal(detectionMs(model), 5_000, "bytes that leave after the ping prove nothing");
});

test("a pong with another payload or none proves life and no delivery, and the right one still proves delivery", () => {
  const model = readyWith({ ping: 15_000 });
  for (const payload of ["", "another"]) {
    model.fire();
    const asked = model.now;
    model.now += 1_000;
    model.give({ type: "pong", connection: 1, proof: payload });
    assert.deepEqual([model.proven, model.timer], [[], asked + 16_000]);
  }
  model.give({ type: "pong", connection: 1, proof: model.pinged ?? "" });
  assert.deepEqual(model.proven, [model.pinged]);
  model.fire();
  assert.equal(detectionMs(model), 5_000, "the next ping must be answered again");
});

test("an upstream whose pings are off gets none, neither by time nor for a proof nor after a suspension", () => {
  const model = readyWith({ ping: null, silence: 3_000 });
  assert.deepEqual(model.give({ type: "probe" }), []);
  model.now += 60_000;
  model.give({ type: "timer" });
  assert.deepEqual([model.phase, model.pinged], ["ready", undefined]);
  assert.equal(detectionMs(model), 3_000);
  assert.equal(readyWith({ ping: null }).timer, never, "without any rung the timer only rings");
});

test("a dead peer is detected by the quickest rung configured, and a living one is never given up", () => {
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
      assert.equal(detectionMs(readyWith(keepalive)), bound);
      const living = readyWith(keepalive);
      for (let n = 0; n < 50 && living.phase === "ready"; n++) {
        living.fire();
        if (living.phase !== "ready") break;
        living.frame(OK);
        if (living.pinged) living.give({ type: "pong", connection: 1, proof: living.pinged });
      }
      // A peer that sends only replies may be too quiet for the silence rung, and for no other.
      if (keepalive.silence === null) assert.equal(living.phase, "ready");
    }),
    { numRuns: 300 },
  );
});
