/** Tests of the session as a table: the result of every input in every phase. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { nothingCaptured } from "../../../src/core/connection/captured-values.ts";
import type { Disconnect } from "../../../src/core/connection/disconnect.ts";
import { type Ladder, NO_TRAFFIC } from "../../../src/core/connection/liveness.ts";
import { step } from "../../../src/core/connection/session.ts";
import type { Phase, Session, SessionInput } from "../../../src/core/connection/session-state.ts";
import { briefly, CHALLENGE, NO, OK, OTHER, settings } from "./session-model.ts";

const NOW = 1_000_000;
const CONNECTION = 7;
const cause: Disconnect = { reason: "network", detail: "ECONNREFUSED" };
const beating = {
  ...settings,
  keepalive: {
    ...settings.keepalive,
    heartbeat: { send: "BEAT", every: 7_000, expect: { match: { "/type": "ok" } }, within: 2_500 },
  },
};
const context = {
  now: NOW,
  random: 0.5,
  proof: "fresh",
  lastActivityAt: NOW - 3_000,
  traffic: NO_TRAFFIC,
  secrets: [],
  captured: nothingCaptured,
  canResume: false,
  settings: beating,
};
const resting = { due: NOW + 7_000, awaitsReply: false, seen: 0 };
const idle: Ladder["ping"] = { due: NOW, proof: undefined, awaits: undefined, seen: 0 };
const later = { ...idle, due: NOW + 9_000 };

function ready(ping: Ladder["ping"], heartbeat: Ladder["heartbeat"]): Phase {
  const since = NOW - 60_000;
  return {
    phase: "ready",
    connection: CONNECTION,
    since,
    hasTraffic: false,
    ladder: { ping, heartbeat, silence: { from: since, seen: 0 } },
  };
}

/** Every phase; `pinged` is ready with a ping in flight, `unsent` with one in our buffer, `beaten` with a heartbeat awaiting its reply. */
const phases = {
  idle: { phase: "idle" },
  connecting: { phase: "connecting", connection: CONNECTION },
  greeting: { phase: "greeting", connection: CONNECTION, step: 3 },
  ready: ready(idle, resting),
  pinged: ready({ ...idle, proof: "in flight", awaits: "pong" }, resting),
  unsent: ready({ ...idle, proof: "in flight", awaits: "its way out" }, resting),
  resting: ready(later, { ...resting, due: NOW }),
  beaten: ready(later, { ...resting, due: NOW, awaitsReply: true }),
  waiting: { phase: "waiting", until: NOW, cause },
  refused: { phase: "refused", until: NOW, cause },
  closing: { phase: "closing", connection: CONNECTION },
  closed: { phase: "closed" },
} satisfies Record<string, Phase>;

/** Every input, as coming from the newest socket. */
const inputs = {
  start: { type: "start" },
  opened: { type: "opened", connection: CONNECTION },
  unservable: { type: "unservable", connection: CONNECTION, detail: "no state" },
  dropped: { type: "dropped", connection: CONNECTION, disconnect: cause },
  matching: { type: "frame", connection: CONNECTION, frame: OK },
  rejecting: { type: "frame", connection: CONNECTION, frame: NO },
  other: { type: "frame", connection: CONNECTION, frame: OTHER },
  pingSent: { type: "pingSent", connection: CONNECTION, proof: "in flight" },
  pong: { type: "pong", connection: CONNECTION, proof: "in flight" },
  wrongPong: { type: "pong", connection: CONNECTION, proof: "else" },
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

/** Results shared by all variants of ready. */
const open = (phase: string): Partial<Record<InputName, string>> => ({
  dropped: LOST,
  matching: `${phase}: frame ${OK}`,
  rejecting: `${phase}: frame ${NO}`,
  other: `${phase}: frame ${OTHER}`,
  renew: "waiting: lost 7 renewed, close 7 1001 in 2000, timer 800",
  unservable: "waiting: lost 7 renewed, close 7 1001 in 2000, timer 800",
  close: CLOSE,
  closeNow: CLOSE_NOW,
});

/** The resulting phase and effects of each input. An input that is not listed changes nothing and has no effect. */
const table: Readonly<Record<PhaseName, Partial<Record<InputName, string>>>> = {
  idle: { start: CONNECT, close: "closed: no timer", closeNow: "closed: no timer" },
  connecting: {
    opened: "greeting: send 7 HELLO, timer 3000",
    unservable: "waiting: destroy 7, lost 7 module, timer 800",
    dropped: LOST,
    matching: `connecting: frame ${OK}`,
    rejecting: `connecting: frame ${NO}`,
    other: `connecting: frame ${OTHER}`,
    close: "closed: destroy 7",
    closeNow: "closed: destroy 7",
  },
  greeting: {
    unservable: "waiting: destroy 7, lost 7 module, timer 800",
    dropped: LOST,
    matching: 'ready: send 7 {"type":"thanks"}, timer 7000',
    rejecting: "refused: destroy 7, lost 7 greeting, timer 60000",
    other: `greeting: message ${OTHER}`,
    timer: "waiting: destroy 7, lost 7 greeting, timer 800",
    close: CLOSE,
    closeNow: CLOSE_NOW,
  },
  ready: {
    ...open("ready"),
    timer: "ready: ping 7 fresh, timer 5000",
    probe: "ready: ping 7 fresh, timer 5000",
  },
  pinged: {
    ...open("ready"),
    pingSent: "ready: timer 5000",
    pong: "ready: timer 7000, proven in flight",
    wrongPong: "ready: timer 7000",
    timer: "waiting: destroy 7, lost 7 silent, timer 800",
  },
  unsent: {
    ...open("ready"),
    pingSent: "ready: timer 5000",
    pong: "ready: timer 7000, proven in flight",
    wrongPong: "ready: timer 7000",
    timer: "waiting: destroy 7, lost 7 silent, timer 800",
  },
  resting: {
    ...open("ready"),
    timer: "ready: send 7 BEAT, timer 2500",
    probe: "ready: ping 7 fresh, timer 0",
  },
  beaten: {
    ...open("ready"),
    matching: "ready: timer 7000",
    timer: "waiting: destroy 7, lost 7 silent, timer 800",
    probe: "ready: ping 7 fresh, timer 0",
  },
  waiting: { timer: CONNECT, close: "closed: no timer", closeNow: "closed: no timer" },
  refused: { timer: CONNECT, close: "closed: no timer", closeNow: "closed: no timer" },
  closing: {
    dropped: "closed: ",
    matching: `closing: frame ${OK}`,
    rejecting: `closing: frame ${NO}`,
    other: `closing: frame ${OTHER}`,
    close: "closing: close 7 1001 in 2000",
    closeNow: "closing: close 7 1001 in 0",
  },
  closed: { close: "closed: no timer", closeNow: "closed: no timer" },
};

/** Three attempts have failed: half of 200 ms doubled three times is 800 ms. */
function sessionIn(phase: Phase): Session {
  return { at: phase, connection: CONNECTION, failures: 3, flaps: 0 };
}

for (const name of Object.keys(phases) as PhaseName[]) {
  test(`every input in ${name} has its specified result`, () => {
    for (const inputName of Object.keys(inputs) as InputName[]) {
      const before = sessionIn(phases[name]);
      const { session, effects } = step(before, inputs[inputName], context);
      const expected = table[name][inputName];
      const actual = `${session.at.phase}: ${effects.map(briefly).join(", ")}`;
      if (expected === undefined) assert.deepEqual([session, effects], [before, []], inputName);
      else assert.equal(actual, expected, inputName);
    }
  });

  test(`input from another connection in ${name} changes nothing`, () => {
    for (const input of Object.values(inputs)) {
      if (!("connection" in input)) continue;
      for (const connection of [CONNECTION - 1, CONNECTION + 1, 0]) {
        const before = sessionIn(phases[name]);
        assert.deepEqual(step(before, { ...input, connection }, context), { session: before, effects: [] }, input.type);
      }
    }
  });

  test(`no input in ${name} mutates the session`, () => {
    for (const input of Object.values(inputs)) {
      const before = sessionIn(phases[name]);
      const copy = structuredClone(before);
      step(before, input, context);
      assert.deepEqual(before, copy, input.type);
    }
  });
}

test("a frame or a pong in ready is real traffic, and nothing else is", () => {
  for (const name of Object.keys(phases) as PhaseName[]) {
    for (const inputName of Object.keys(inputs) as InputName[]) {
      const { session } = step(sessionIn(phases[name]), inputs[inputName], context);
      if (session.at.phase !== "ready" || !session.at.hasTraffic) continue;
      assert.ok(["matching", "rejecting", "other", "pong"].includes(inputName), `${inputName} in ${name}`);
      assert.notEqual(name, "greeting", "frames of a greeting prove nothing: its last step may still be refused");
    }
  }
});

test("every end of a connection or an attempt counts as one failure", () => {
  const ends: readonly [PhaseName, InputName][] = [
    ["connecting", "dropped"],
    ["greeting", "dropped"],
    ["greeting", "rejecting"],
    ["greeting", "timer"],
    ["ready", "dropped"],
    ["pinged", "timer"],
    ["beaten", "timer"],
  ];
  for (const [name, input] of ends) {
    assert.equal(step(sessionIn(phases[name]), inputs[input], context).session.failures, 4, `${input} in ${name}`);
  }
});

test("an idle session ignores timers, probes, renewals and stray sockets", () => {
  const idle = sessionIn(phases.idle);
  for (const input of ["timer", "probe", "renew", "opened"] as const) {
    assert.deepEqual(step(idle, inputs[input], context), { session: idle, effects: [] });
  }
});

test("a frame that matches an expect step leads to the next one and sends the frames between them", () => {
  const greeting: Phase = { phase: "greeting", connection: CONNECTION, step: 1 };
  const { session, effects } = step(
    sessionIn(greeting),
    { type: "frame", connection: CONNECTION, frame: CHALLENGE },
    context,
  );
  assert.deepEqual(session.at, { phase: "greeting", connection: CONNECTION, step: 3 });
  assert.deepEqual(effects.map(briefly), ['send 7 {"type":"auth"}', "timer 4000"]);
});
