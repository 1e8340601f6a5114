import assert from "node:assert/strict";
import { test } from "node:test";
import type { Disconnect } from "../../../src/core/connection/disconnect.ts";
import { availability } from "../../../src/core/connection/session.ts";
import { CHALLENGE, NO, OK, OTHER, SessionModel, settings } from "./session-model.ts";

const network: Disconnect = { reason: "network", detail: "ECONNREFUSED" };
const unauthorized: Disconnect = { reason: "status", status: 401 };

test("the delay grows with each failure in a row, and begins anew only after real traffic", () => {
  const model = new SessionModel();
  model.give({ type: "start" });
  const delays: number[] = [];
  const fail = (): void => {
    model.over(model.connection, network);
    delays.push((model.timer ?? Number.NaN) - model.now);
    model.fire();
  };
  for (let attempt = 0; attempt < 9; attempt++) fail();
  assert.deepEqual(delays, [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 15_000]);

  // A peer that accepts and greets, and then hangs up, has proved nothing.
  model.becomeReady();
  fail();
  assert.equal(delays.at(-1), 15_000);

  model.becomeReady();
  model.frame(OTHER);
  fail();
  assert.equal(delays.at(-1), 100);
  fail();
  assert.equal(delays.at(-1), 200);

  model.becomeReady();
  model.fire();
  model.give({ type: "pong", connection: model.connection, proof: model.pinged ?? "" });
  fail();
  assert.equal(delays.at(-1), 100);
});

test("what was refused is tried again around reconnect.refused, whatever failed before", () => {
  for (const [random, delay] of [
    [0, 45_000],
    [0.5, 60_000],
    [0.999, 74_970],
  ] as const) {
    const model = new SessionModel();
    model.random = random;
    model.give({ type: "start" });
    for (let attempt = 0; attempt < 5; attempt++) {
      model.over(model.connection, unauthorized);
      assert.equal(model.phase, "refused");
      assert.equal(model.timer, model.now + delay);
      model.fire();
      assert.equal(model.phase, "connecting");
    }
  }
});

test("Retry-After comes on top of the backoff", () => {
  const model = new SessionModel();
  model.give({ type: "start" });
  model.over(model.connection, { reason: "status", status: 503, retryAfterMs: 7_000 });
  assert.deepEqual([model.phase, model.timer], ["waiting", 7_100]);
});

test("the longest delays that the configuration allows are still delays, not timers that fire at once", () => {
  const longest = 2 ** 31 - 1;
  for (const drop of [unauthorized, { reason: "status", status: 503, retryAfterMs: 300_000 } as const]) {
    const model = new SessionModel();
    model.settings = {
      ...settings,
      reconnect: { ...settings.reconnect, from: longest, to: longest, refused: longest },
    };
    model.random = 1 - Number.EPSILON;
    model.give({ type: "start" });
    model.over(model.connection, drop);
    assert.equal(model.timer, longest);
  }
});

test("a greeting that is answered late or refused is given up, and says which step it was", () => {
  const model = new SessionModel();
  model.give({ type: "start" });
  model.opened();
  assert.deepEqual([model.sent, model.timer], [["HELLO"], 3_000]);
  model.fire();
  assert.deepEqual(availability(model.session), {
    type: "down",
    failure: { code: "upstream_down", detail: "the greeting failed: step 2 heard nothing that matches within 3000 ms" },
    until: model.timer,
  });
  model.over(model.connection, { reason: "closed", code: 1006, text: "" });
  assert.equal(model.phase, "waiting", "the end of a socket that we broke ourselves is no second failure");
  assert.equal(model.session.failures, 1);

  model.fire();
  model.opened();
  model.frame(CHALLENGE);
  model.frame(NO);
  assert.deepEqual(availability(model.session), {
    type: "down",
    failure: { code: "login_refused", detail: "the upstream refused the greeting: step 4" },
    until: model.timer,
  });
});

test("what is sent behind an expected frame answers its challenge, on every connection anew", () => {
  const model = new SessionModel();
  const greeting = [
    { expect: { has: [""], within: 3_000 } },
    { send: { d: {} }, challenge: { at: "/d/a", password: "secret" } },
    { expect: { match: { "/type": "ok" }, within: 3_000 } },
    { send: { d: {} }, challenge: { at: "/d/a", password: "secret" } },
  ];
  model.settings = { ...settings, greeting };
  model.give({ type: "start" });
  const answers = ["one", "two"].map((challenge) => {
    model.opened();
    model.frame(JSON.stringify({ d: { a: { challenge, salt: "salt" } } }));
    model.frame(OK);
    const [answered, plain] = model.sent.splice(0);
    assert.equal(plain, '{"d":{}}', "only the frame that was just expected counts");
    model.over(model.connection, { reason: "closed", code: 1006, text: "" });
    model.fire();
    return (JSON.parse(answered ?? "") as { d: { a: string } }).d.a;
  });
  assert.deepEqual(
    answers.map((answer) => answer.length),
    [44, 44],
  );
  assert.notEqual(answers[0], answers[1]);
});

test("a close code that refuses is a refused login while the greeting goes on, and no longer after it", () => {
  const codes = { 4009: "refuse", 4000: "retry" } as const;
  for (const [code, greeted, expected] of [
    [4009, false, "login_refused refused"],
    [4000, false, "upstream_down waiting"],
    [4009, true, "upstream_down refused"],
  ] as const) {
    const model = new SessionModel();
    model.settings = { ...settings, reconnect: { ...settings.reconnect, codes } };
    model.give({ type: "start" });
    model.opened();
    if (greeted) for (const frame of [CHALLENGE, OK]) model.frame(frame);
    model.over(model.connection, { reason: "closed", code, text: "because" });
    const now = availability(model.session);
    assert.ok(now.type === "down");
    assert.equal(`${now.failure.code} ${model.phase}`, expected);
    assert.match(now.failure.detail ?? "", new RegExp(`${code} \\(because\\)`));
  }
});

test("frames during the greeting are handed on, and do not prolong it", () => {
  const model = new SessionModel();
  model.give({ type: "start" });
  model.opened();
  model.now = 2_999;
  assert.deepEqual(model.frame(OTHER), [{ type: "message", frame: OTHER }]);
  assert.equal(model.timer, 3_000);
});

test("without a greeting an open socket is ready, and sends alone are waited for by nobody", () => {
  for (const greeting of [[], [{ send: "A" }, { send: "B" }]]) {
    const model = new SessionModel();
    model.settings = { ...settings, greeting };
    model.give({ type: "start" });
    model.opened();
    assert.deepEqual([model.phase, model.sent], ["ready", greeting.map(({ send }) => send)]);
  }
});

test("a ping that is not answered in time ends the connection; one that is proves what came before it", () => {
  const model = new SessionModel();
  model.becomeReady();
  const first = model.timer ?? Number.NaN;
  assert.equal(first - model.now, 15_000);
  model.fire();
  model.give({ type: "pong", connection: model.connection, proof: "somebody else's" });
  assert.deepEqual([model.proven, model.timer], [[], first + 5_000]);
  model.give({ type: "pong", connection: model.connection, proof: model.pinged ?? "" });
  assert.deepEqual(model.proven, [model.pinged]);
  model.give({ type: "pong", connection: model.connection, proof: model.pinged ?? "" });
  assert.equal(model.proven.length, 1, "the same pong proves nothing twice");

  model.give({ type: "probe" });
  const { pinged, timer } = model;
  assert.equal(timer, model.now + 5_000, "a probe asks at once");
  model.give({ type: "probe" });
  assert.deepEqual([model.pinged, model.timer], [pinged, timer], "a second probe waits for the first ping's pong");
  model.fire();
  assert.equal(model.phase, "waiting");
  assert.match(JSON.stringify(availability(model.session)), /did not answer a ping within 5000 ms/);
});

test("a renewal tells the old connection's requests, closes it gently, and connects at once", () => {
  const model = new SessionModel();
  model.becomeReady();
  model.give({ type: "renew", detail: "a reply is owed" });
  assert.equal(model.phase, "connecting");
  assert.deepEqual([...model.sockets.values()], ["closing", "connecting"]);
  assert.equal(model.session.failures, 0);
  model.opened();
  model.over(1, { reason: "unclosed", withinMs: 2_000 });
  assert.equal(model.phase, "greeting", "the old socket's end does not touch its successor");
});

test("what a request finds follows from the phase", () => {
  const model = new SessionModel();
  const found = () => {
    const link = availability(model.session);
    return link.type === "down" ? [link.failure.code, link.until === undefined ? "for good" : "for now"] : link.type;
  };
  assert.equal(found(), "hold");
  model.give({ type: "start" });
  assert.equal(found(), "hold");
  model.over(1, network);
  assert.deepEqual(found(), ["upstream_down", "for now"]);
  model.fire();
  model.over(2, unauthorized);
  assert.deepEqual(found(), ["upstream_down", "for now"]);
  model.fire();
  model.opened();
  assert.equal(found(), "hold");
  model.frame(CHALLENGE);
  model.frame(OK);
  assert.deepEqual(availability(model.session), { type: "ready", connection: 3 });
  model.give({ type: "close", withinMs: 2_000 });
  assert.deepEqual(found(), ["shutting_down", "for good"]);
  model.over(3, { reason: "closed", code: 1001, text: "" });
  assert.deepEqual(found(), ["shutting_down", "for good"]);
});
