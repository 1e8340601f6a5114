/** Tests of the session's conditions on frames whose origin is known. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { nothingCaptured } from "../../../src/core/connection/captured-values.ts";
import type { ConfiguredBy, FrameOrigin } from "../../../src/core/connection/frame-origin.ts";
import { NO_TRAFFIC } from "../../../src/core/connection/liveness.ts";
import { looksAtFrames, step, wantsFrames } from "../../../src/core/connection/session.ts";
import { newSession, type Session } from "../../../src/core/connection/session-state.ts";
import { briefly, settings } from "./session-model.ts";

const YES = '{"id":1,"type":"ok"}';
/** As it comes over the wire. */
const WIRE = '{"id":57,"type":"ok"}';

const context = {
  now: 1_000,
  random: 0.5,
  proof: "fresh",
  lastActivityAt: 0,
  secrets: [],
  captured: nothingCaptured,
  canResume: false,
  traffic: NO_TRAFFIC,
  settings: {
    ...settings,
    greeting: [
      { send: { id: 1, type: "login" } },
      { expect: { match: { "/id": 1, "/type": "ok" }, reject: { match: { "/type": "no" } }, within: 3_000 } },
    ],
    keepalive: {
      ...settings.keepalive,
      heartbeat: { send: { id: 1 }, every: 7_000, expect: { match: { "/id": 1 } }, within: 2_500 },
    },
  },
};

const greeting: Session = { ...newSession, connection: 7, at: { phase: "greeting", connection: 7, step: 1 } };
const beaten = {
  ...newSession,
  connection: 7,
  at: {
    phase: "ready",
    connection: 7,
    since: 0,
    hasTraffic: true,
    ladder: {
      ping: { due: 16_000, proof: undefined, awaits: undefined, seen: 0 },
      heartbeat: { due: 3_500, awaitsReply: true, seen: 0 },
      silence: { from: 0, seen: 0 },
    },
  },
} satisfies Session;

function configured(by: ConfiguredBy, body = YES, isReply = true): FrameOrigin {
  return { type: "configured", by, id: 57, body, isReply };
}

function give(session: Session, frame: string, origin?: FrameOrigin): string {
  const then = step(session, { type: "frame", connection: 7, frame, origin }, context);
  return [then.session.at.phase, ...then.effects.map(briefly)].join(", ");
}

test("no expect sees a frame that a rule answers, whatever it looks like", () => {
  for (const session of [greeting, beaten]) assert.match(give(session, YES, { type: "answered" }), /, frame/);
  assert.match(give(greeting, '{"id":1,"type":"no"}', { type: "answered" }), /^greeting, frame/);
});

test("the greeting's expect sees the reply with the id that the configuration wrote", () => {
  assert.equal(give(greeting, WIRE, configured("greeting")), "ready, answered 7 57, timer 7000");
});

test("the greeting's reject sees it too", () => {
  const refusal = configured("greeting", '{"id":1,"type":"no"}');
  assert.equal(give(greeting, WIRE, refusal), "refused, destroy 7, lost 7 greeting, timer 60000");
});

test("a reply to the greeting that meets no condition is passed on as it came, and is no message of the greeting", () => {
  assert.equal(give(greeting, WIRE, configured("greeting", '{"id":2}')), `greeting, frame ${WIRE}`);
  assert.equal(give(greeting, WIRE, configured("answer")), `greeting, frame ${WIRE}`);
});

test("a frame that precedes the reply can meet a condition, and leaves the reply to come", () => {
  assert.equal(give(greeting, WIRE, configured("greeting", YES, false)), "ready, timer 7000");
});

test("a frame without an origin meets a condition as it is", () => {
  assert.equal(give(greeting, YES), "ready, timer 7000");
  assert.equal(give(greeting, WIRE), `greeting, message ${WIRE}`);
  assert.equal(give(beaten, YES), "ready, timer 7000");
});

test("the heartbeat's expect sees its own reply, and no other's", () => {
  assert.equal(give(beaten, WIRE, configured("heartbeat")), "ready, answered 7 57, timer 7000");
  assert.equal(give(beaten, YES, configured("greeting")), `ready, frame ${YES}`);
  assert.equal(give(beaten, YES, { type: "request" }), `ready, frame ${YES}`);
});

test("origins are needed only while the greeting or the heartbeat waits", () => {
  const resting = { ...beaten.at.ladder.heartbeat, awaitsReply: false };
  const served: Session = { ...beaten, at: { ...beaten.at, ladder: { ...beaten.at.ladder, heartbeat: resting } } };
  const fresh: Session = { ...served, at: { ...served.at, hasTraffic: false } as Session["at"] };
  assert.deepEqual([greeting, beaten, fresh, served].map(looksAtFrames), [true, true, false, false]);
  assert.deepEqual(
    [greeting, beaten, fresh, served].map((session) => wantsFrames(session, 7)),
    [true, true, true, false],
    "the first frame on a ready connection is real traffic, wherever it comes from",
  );
});
