/** Tests of the session over whole lives: backoff, greeting, liveness, renewal and availability. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_DURATION_MS } from "../../../src/config/units.ts";
import { availability } from "../../../src/core/connection/availability.ts";
import type { Disconnect } from "../../../src/core/connection/disconnect.ts";
import { CHALLENGE, NO, OK, OTHER, SessionModel, settings } from "./session-model.ts";

const network: Disconnect = { reason: "network", detail: "ECONNREFUSED" };
const unauthorized: Disconnect = { reason: "status", status: 401 };

test("the delay grows with each failure, until a connection has lasted and carried real traffic", () => {
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

  // A peer that greets and hangs up has proved nothing: not with a frame, and not by age alone.
  model.becomeReady();
  model.frame(OTHER);
  fail();
  model.becomeReady();
  model.now += 2_000;
  fail();
  assert.deepEqual(delays.slice(-2), [15_000, 15_000]);

  const serve = (ms: number): void => {
    model.becomeReady();
    model.frame(OTHER);
    model.now += ms;
    fail();
  };
  serve(2_000);
  fail();
  assert.deepEqual(delays.slice(-2), [100, 200], "after service it is back soon");

  for (let n = 0; n < 9; n++) serve(2_000);
  assert.deepEqual(delays.slice(-9), [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 15_000, 15_000]);
  serve(30_000);
  assert.equal(delays.at(-1), 100, "a connection that lasted as long as the longest backoff forgives all");
});

test("an expired login gets one quick attempt after service, and a configured class keeps its meaning", () => {
  for (const [code, codes, phases] of [
    [1008, {}, ["waiting", "refused"]],
    [4401, {}, ["waiting", "refused"]],
    [4403, {}, ["refused", "refused"]],
    [4401, { 4401: "refuse" }, ["refused", "refused"]],
  ] as const) {
    const model = new SessionModel();
    model.settings = { ...settings, reconnect: { ...settings.reconnect, codes } };
    model.becomeReady();
    model.frame(OTHER);
    model.now += 3_000;
    const seen = phases.map(() => {
      model.over(model.connection, { reason: "closed", code, text: "" });
      const { phase } = model;
      model.becomeReady();
      return phase;
    });
    assert.deepEqual(seen, phases, `${code}`);
  }
});

test("the first renewal comes at once, and one that follows at once backs off", () => {
  const model = new SessionModel();
  model.becomeReady();
  model.give({ type: "renew", detail: "a reply is owed" });
  assert.equal(model.phase, "connecting");
  model.opened();
  for (const frame of [CHALLENGE, OK]) model.frame(frame);
  model.give({ type: "renew", detail: "a reply is owed" });
  assert.deepEqual([model.phase, model.timer], ["waiting", model.now + 200]);
});

test("a flapping upstream sees at most 300 logins an hour, whether it serves briefly or only says hello", () => {
  for (const life of [20, 3_000, 10_000]) {
    const model = new SessionModel();
    let logins = 0;
    while (model.now < 3_600_000) {
      model.becomeReady();
      logins++;
      model.frame(OTHER);
      model.now += life;
      model.over(model.connection, { reason: "closed", code: 1011, text: "" });
    }
    assert.ok(logins <= 300, `${logins} logins with a life of ${life} ms`);
  }
});

test("a refused connection is retried around reconnect.refused, regardless of earlier failures", () => {
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

test("Retry-After is added to the backoff", () => {
  const model = new SessionModel();
  model.give({ type: "start" });
  model.over(model.connection, { reason: "status", status: 503, retryAfterMs: 7_000 });
  assert.deepEqual([model.phase, model.timer], ["waiting", 7_100]);
});

test("the longest delays that the configuration allows still fit a timer, which would otherwise fire at once", () => {
  const longest = MAX_DURATION_MS;
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

test("a greeting that times out or is refused is given up, and the failure names the step", () => {
  const model = new SessionModel();
  model.give({ type: "start" });
  model.opened();
  assert.deepEqual([model.sent, model.timer], [["HELLO"], 3_000]);
  model.fire();
  assert.deepEqual(availability(model.session), {
    type: "down",
    failure: {
      code: "upstream_down",
      detail: "the greeting failed: step 2 received no matching frame within 3000 ms",
      cause: "greeting",
    },
    until: model.timer,
    service: { readyUntil: undefined, attempts: 1 },
  });
  model.over(model.connection, { reason: "closed", code: 1006, text: "" });
  assert.equal(model.phase, "waiting", "the end of a socket that we destroyed is not a second failure");
  assert.equal(model.session.failures, 1);

  model.fire();
  model.opened();
  model.frame(CHALLENGE);
  model.frame(NO);
  assert.deepEqual(availability(model.session), {
    type: "down",
    failure: {
      code: "login_refused",
      detail: 'the upstream refused the greeting: step 4 received {"type":"no"}',
      cause: "greeting",
    },
    until: model.timer,
    service: { readyUntil: undefined, attempts: 2 },
  });
});

test("a frame sent after an expected one answers its challenge, on every connection afresh", () => {
  const model = new SessionModel();
  const greeting = [
    { expect: { has: [""], within: 3_000 } },
    { send: { d: {} }, challenge: { at: "/d/a", password: "secret" } },
    { expect: { match: { "/type": "ok" }, within: 3_000 } },
    { send: { d: {} }, challenge: { at: "/d/a", password: "secret" } },
  ];
  model.settings = { ...settings, greeting };
  model.give({ type: "start" });
  const responses = ["one", "two"].map((challenge) => {
    model.opened();
    model.frame(JSON.stringify({ d: { a: { challenge, salt: "salt" } } }));
    model.frame(OK);
    const [answered, plain] = model.sent.splice(0);
    assert.equal(plain, '{"d":{}}', "only the frame expected last counts");
    model.over(model.connection, { reason: "closed", code: 1006, text: "" });
    model.fire();
    return (JSON.parse(answered ?? "") as { d: { a: string } }).d.a;
  });
  assert.deepEqual(
    responses.map((response) => response.length),
    [44, 44],
  );
  assert.notEqual(responses[0], responses[1]);
});

test("a refusing close code means a refused login during the greeting, and not after it", () => {
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

test("unrelated frames during the greeting are handed on and do not extend its deadline", () => {
  const model = new SessionModel();
  model.give({ type: "start" });
  model.opened();
  model.now = 2_999;
  assert.deepEqual(model.frame(OTHER), [{ type: "message", connection: 1, frame: OTHER }]);
  assert.equal(model.timer, 3_000);
});

test("an open socket is ready at once if the greeting is empty or consists only of sends", () => {
  for (const greeting of [[], [{ send: "A" }, { send: "B" }]]) {
    const model = new SessionModel();
    model.settings = { ...settings, greeting };
    model.give({ type: "start" });
    model.opened();
    assert.deepEqual([model.phase, model.sent], ["ready", greeting.map(({ send }) => send)]);
  }
});

test("an unanswered ping ends the connection; a pong proves the delivery of everything before its ping", () => {
  const model = new SessionModel();
  model.becomeReady();
  const first = model.timer ?? Number.NaN;
  assert.equal(first - model.now, 15_000);
  model.fire();
  model.give({ type: "pong", connection: model.connection, proof: "unknown" });
  assert.deepEqual([model.proven, model.timer], [[], first + 15_000]);
  model.give({ type: "pong", connection: model.connection, proof: model.pinged ?? "" });
  assert.deepEqual(model.proven, [model.pinged]);
  model.give({ type: "pong", connection: model.connection, proof: model.pinged ?? "" });
  assert.equal(model.proven.length, 1, "the same pong proves nothing twice");

  model.give({ type: "probe" });
  const { pinged, timer } = model;
  assert.equal(timer, model.now + 5_000, "a probe pings at once");
  model.give({ type: "probe" });
  assert.deepEqual([model.pinged, model.timer], [pinged, timer], "a second probe waits for the first ping's pong");
  model.fire();
  assert.equal(model.phase, "waiting");
  assert.match(JSON.stringify(availability(model.session)), /did not answer a ping within 5000 ms/);
});

test("a peer that counts as dead is described with when it was last heard, and since when it was ready", () => {
  const model = new SessionModel();
  model.becomeReady();
  model.signs = { openedAt: 0, frameAt: 0 };
  model.fire();
  model.fire();
  const down = availability(model.session);
  assert.ok(down.type === "down");
  assert.match(down.failure.detail, /; the last frame came 20\.0 s ago, and no pong since it was opened 20\.0 s ago$/);
  assert.equal(down.failure.cause, "silent");
  assert.deepEqual(down.service, { readyUntil: model.now, attempts: 1 });
  const readyUntil = model.now;
  model.fire();
  model.over(model.connection, { reason: "status", status: 403 });
  const refused = availability(model.session);
  assert.ok(refused.type === "down");
  assert.equal(refused.failure.cause, "http_403");
  assert.deepEqual(refused.service, { readyUntil, attempts: 2 });
});

test("a renewal reports the old connection as lost, closes it with a handshake, and connects at once", () => {
  const model = new SessionModel();
  model.becomeReady();
  model.give({ type: "renew", detail: "a reply is owed" });
  assert.equal(model.phase, "connecting");
  assert.deepEqual([...model.sockets.values()], ["closing", "connecting"]);
  model.opened();
  model.over(1, { reason: "unclosed", withinMs: 2_000 });
  assert.equal(model.phase, "greeting", "the end of the old socket does not affect its successor");
});

test("availability follows from the phase", () => {
  const model = new SessionModel();
  const summary = () => {
    const found = availability(model.session);
    return found.type === "down"
      ? [found.failure.code, found.until === undefined ? "for good" : "for now"]
      : found.type;
  };
  assert.equal(summary(), "hold");
  model.give({ type: "start" });
  assert.equal(summary(), "hold");
  model.over(1, network);
  assert.deepEqual(summary(), ["upstream_down", "for now"]);
  model.fire();
  model.over(2, unauthorized);
  assert.deepEqual(summary(), ["upstream_down", "for now"]);
  model.fire();
  model.opened();
  assert.equal(summary(), "hold");
  model.frame(CHALLENGE);
  model.frame(OK);
  assert.deepEqual(availability(model.session), { type: "ready", connection: 3 });
  model.give({ type: "close", withinMs: 2_000 });
  assert.deepEqual(summary(), ["shutting_down", "for good"]);
  model.over(3, { reason: "closed", code: 1001, text: "" });
  assert.deepEqual(summary(), ["shutting_down", "for good"]);
});
