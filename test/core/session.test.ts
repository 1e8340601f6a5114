import assert from "node:assert/strict";
import { test } from "node:test";
import type { Drop } from "../../src/core/drop.ts";
import { type Phase, type Session, type SessionInput, step } from "../../src/core/session.ts";
import { briefly, CHALLENGE, NO, OK, OTHER, settings } from "./session-model.ts";

const NOW = 1_000_000;
const EPOCH = 7;
const why: Drop = { reason: "network", detail: "ECONNREFUSED" };
const context = { now: NOW, random: 0.5, proof: "fresh", settings };

/** Every phase there is; `pinged` is ready with a ping on its way. */
const phases = {
  idle: { phase: "idle" },
  connecting: { phase: "connecting", epoch: EPOCH },
  greeting: { phase: "greeting", epoch: EPOCH, step: 3 },
  ready: { phase: "ready", epoch: EPOCH, pong: undefined },
  pinged: { phase: "ready", epoch: EPOCH, pong: "asked" },
  waiting: { phase: "waiting", until: NOW, why },
  refused: { phase: "refused", until: NOW, why },
  closing: { phase: "closing", epoch: EPOCH },
  closed: { phase: "closed" },
} satisfies Record<string, Phase>;

/** Every input there is, as if it came from the newest socket. */
const inputs = {
  start: { type: "start" },
  opened: { type: "opened", epoch: EPOCH },
  dropped: { type: "dropped", epoch: EPOCH, drop: why },
  matching: { type: "frame", epoch: EPOCH, frame: OK },
  rejecting: { type: "frame", epoch: EPOCH, frame: NO },
  other: { type: "frame", epoch: EPOCH, frame: OTHER },
  pong: { type: "pong", epoch: EPOCH, proof: "asked" },
  wrongPong: { type: "pong", epoch: EPOCH, proof: "else" },
  timer: { type: "timer" },
  probe: { type: "probe" },
  renew: { type: "renew", detail: "a reply is owed" },
  close: { type: "close", withinMs: 2_000 },
  closeNow: { type: "close", withinMs: 0 },
} satisfies Record<string, SessionInput>;

type PhaseName = keyof typeof phases;
type InputName = keyof typeof inputs;

const CONNECT = "connecting: no timer, connect 8";
const LOST = "waiting: lost 7 network, timer 800";
const CLOSE = "closing: no timer, close 7 1001 in 2000";
const CLOSE_NOW = "closing: no timer, close 7 1001 in 0";

/** What comes of an input: the phase and the effects. What is not here changes nothing and has no effect. */
const table: Readonly<Record<PhaseName, Partial<Record<InputName, string>>>> = {
  idle: { start: CONNECT, close: "closed: no timer", closeNow: "closed: no timer" },
  connecting: {
    opened: "greeting: send 7 HELLO, timer 3000",
    dropped: LOST,
    matching: "connecting: ",
    rejecting: "connecting: ",
    other: "connecting: ",
    close: "closed: destroy 7",
    closeNow: "closed: destroy 7",
  },
  greeting: {
    dropped: LOST,
    matching: 'ready: send 7 {"type":"thanks"}, timer 15000',
    rejecting: "refused: destroy 7, lost 7 greeting, timer 60000",
    other: `greeting: message ${OTHER}`,
    timer: "waiting: destroy 7, lost 7 greeting, timer 800",
    close: CLOSE,
    closeNow: CLOSE_NOW,
  },
  ready: {
    dropped: LOST,
    matching: "ready: ",
    rejecting: "ready: ",
    other: "ready: ",
    timer: "ready: ping 7 fresh, timer 5000",
    probe: "ready: ping 7 fresh, timer 5000",
    renew: "connecting: lost 7 renewed, close 7 1000 in 2000, no timer, connect 8",
    close: CLOSE,
    closeNow: CLOSE_NOW,
  },
  pinged: {
    dropped: LOST,
    matching: "ready: ",
    rejecting: "ready: ",
    other: "ready: ",
    pong: "ready: proven asked, timer 15000",
    timer: "waiting: destroy 7, lost 7 silent, timer 800",
    renew: "connecting: lost 7 renewed, close 7 1000 in 2000, no timer, connect 8",
    close: CLOSE,
    closeNow: CLOSE_NOW,
  },
  waiting: { timer: CONNECT, close: "closed: no timer", closeNow: "closed: no timer" },
  refused: { timer: CONNECT, close: "closed: no timer", closeNow: "closed: no timer" },
  closing: {
    dropped: "closed: ",
    matching: "closing: ",
    rejecting: "closing: ",
    other: "closing: ",
    close: "closing: close 7 1001 in 2000",
    closeNow: "closing: close 7 1001 in 0",
  },
  closed: { close: "closed: no timer", closeNow: "closed: no timer" },
};

/** Three attempts have failed: half of 200 ms doubled three times is 800 ms. */
function sessionIn(phase: Phase): Session {
  return { at: phase, epoch: EPOCH, failures: 3 };
}

for (const name of Object.keys(phases) as PhaseName[]) {
  test(`in ${name} every input has its one result`, () => {
    for (const inputName of Object.keys(inputs) as InputName[]) {
      const before = sessionIn(phases[name]);
      const { session, effects } = step(before, inputs[inputName], context);
      const wanted = table[name][inputName];
      const found = `${session.at.phase}: ${effects.map(briefly).join(", ")}`;
      if (wanted === undefined) assert.deepEqual([session, effects], [before, []], inputName);
      else assert.equal(found, wanted, inputName);
    }
  });

  test(`in ${name} what a socket of another epoch says changes nothing`, () => {
    for (const input of Object.values(inputs)) {
      if (!("epoch" in input)) continue;
      for (const epoch of [EPOCH - 1, EPOCH + 1, 0]) {
        const before = sessionIn(phases[name]);
        assert.deepEqual(step(before, { ...input, epoch }, context), { session: before, effects: [] }, input.type);
      }
    }
  });

  test(`in ${name} no input is changed in place`, () => {
    for (const input of Object.values(inputs)) {
      const before = sessionIn(phases[name]);
      const copy = structuredClone(before);
      step(before, input, context);
      assert.deepEqual(before, copy, input.type);
    }
  });
}

test("failures are forgotten by a frame or a pong, and by nothing else", () => {
  for (const name of Object.keys(phases) as PhaseName[]) {
    for (const inputName of Object.keys(inputs) as InputName[]) {
      const { session } = step(sessionIn(phases[name]), inputs[inputName], context);
      if (session.failures >= 3) continue;
      assert.equal(session.failures, 0);
      assert.ok(["matching", "rejecting", "other", "pong"].includes(inputName), `${inputName} in ${name}`);
      assert.notEqual(name, "greeting", "a greeting's frames prove nothing: it may be refused at its end, each time");
    }
  }
});

test("every end of an attempt is one more failure", () => {
  const ends: readonly [PhaseName, InputName][] = [
    ["connecting", "dropped"],
    ["greeting", "dropped"],
    ["greeting", "rejecting"],
    ["greeting", "timer"],
    ["ready", "dropped"],
    ["pinged", "timer"],
  ];
  for (const [name, input] of ends) {
    assert.equal(step(sessionIn(phases[name]), inputs[input], context).session.failures, 4, `${input} in ${name}`);
  }
});

test("a new session is idle and nothing happens before it is started", () => {
  const idle = sessionIn(phases.idle);
  for (const input of ["timer", "probe", "renew", "opened"] as const) {
    assert.deepEqual(step(idle, inputs[input], context), { session: idle, effects: [] });
  }
});

test("a frame of the first expect step leads to the second, with the sends between them", () => {
  const greeting: Phase = { phase: "greeting", epoch: EPOCH, step: 1 };
  const { session, effects } = step(sessionIn(greeting), { type: "frame", epoch: EPOCH, frame: CHALLENGE }, context);
  assert.deepEqual(session.at, { phase: "greeting", epoch: EPOCH, step: 3 });
  assert.deepEqual(effects.map(briefly), ['send 7 {"type":"auth"}', "timer 4000"]);
});
