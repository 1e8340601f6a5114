/** Tests of late replies. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Failure } from "../../../src/errors.ts";
import { json } from "../../../src/protocols/json.ts";
import { jsonRpc } from "../../../src/protocols/json-rpc.ts";
import type { Protocol } from "../../../src/protocols/protocol.ts";
import { text } from "../../../src/protocols/text.ts";
import { echo, replyTo } from "./echo.ts";
import { ExchangeModel } from "./exchange-model.ts";

test("a request whose deadline passed on its way to the thread fails as not sent", () => {
  const model = new ExchangeModel(jsonRpc);
  model.connect();
  for (const within of [0, -5]) model.fails(model.call(echo("late"), "request", within), "reply_timeout", "no");
  assert.deepEqual([model.taken.length, model.exchange.inFlight, model.exchange.nextDeadline], [0, 0, undefined]);
  model.call(echo("in time"), "request", 1);
  assert.equal(model.taken.length, 1);
});

const late = (model: ExchangeModel, seq: number): string => {
  const outcome = model.lates.get(seq);
  assert.ok(outcome?.type === "reply", JSON.stringify(outcome));
  return String(outcome.body);
};

test("a late reply is reported with the caller's own id", () => {
  const model = new ExchangeModel(jsonRpc);
  model.connect();
  const seq = model.call(echo("slow", '"mine"'), "request", 100);
  model.pass(200);
  model.fails(seq, "reply_timeout", "maybe");
  model.frame(replyTo(model.taken[0]?.frame ?? ""));
  assert.equal(late(model, seq), '{"jsonrpc":"2.0","id":"mine","result":"slow"}');
  assert.deepEqual([model.exchange.counters.late, model.exchange.counters.replies], [1, 0]);
  model.frame(replyTo(model.taken[0]?.frame ?? ""));
  assert.deepEqual([model.exchange.counters.unclaimed, model.messages.length], [1, 1]);
});

test("an invalid late reply and a connection that ends before it are late failures", () => {
  const model = new ExchangeModel(jsonRpc);
  model.connect();
  const seqs = [model.call(echo(1), "request", 100), model.call(echo(2), "request", 100)];
  model.pass(200);
  model.frame(JSON.stringify({ jsonrpc: "2.0", id: JSON.parse(String(model.taken[0]?.frame)).id }));
  model.lose();
  const ends = seqs.map((seq) => {
    const outcome = model.lates.get(seq);
    return outcome?.type === "failed" ? [outcome.failure.code, outcome.failure.sent] : outcome;
  });
  assert.deepEqual(ends, [
    ["invalid_reply", "yes"],
    ["connection_lost", "maybe"],
  ]);
});

test("a request that was never sent, or was abandoned, has no late outcome", () => {
  const model = new ExchangeModel(jsonRpc);
  model.call(echo("unsent"), "request", 100);
  model.pass(200);
  model.connect();
  const left = model.call(echo("left"), "request", 1_000);
  model.abandon(left);
  model.frame(replyTo(model.taken.at(-1)?.frame ?? ""));
  model.lose();
  assert.deepEqual([model.exchange.counters.late, model.lates.size], [1, 0]);
});

test("a late reply in a lane belongs to the request that timed out", () => {
  const model = new ExchangeModel(text);
  model.connect();
  const first = model.call("a", "request", 100);
  const second = model.call("b", "request", 1_000);
  model.pass(200);
  model.frame("A");
  model.frame("B");
  assert.equal(late(model, first), "A");
  assert.equal(model.reply(second), "B");
});

test("a late reply in a lane does not belong to a confirmed send that timed out", () => {
  const model = new ExchangeModel(text);
  model.connect();
  const sent = model.call("a", "confirm", 100);
  model.pass(10_000);
  const request = model.call("b", "request", 100);
  model.pass(200);
  model.frame("B");
  assert.deepEqual([late(model, request), model.lates.has(sent)], ["B", false]);
  model.lose();
  const outcome = model.lates.get(sent);
  assert.ok(outcome?.type === "failed", JSON.stringify(outcome));
  assert.deepEqual([outcome.failure.code, outcome.failure.sent], ["connection_lost", "maybe"]);
});

test("each confirmed send without an id on the wire gets its own late outcome", () => {
  const model = new ExchangeModel(json({ id: { kind: "keep" } }));
  model.connect();
  const seqs = [model.call('{"n":1}', "confirm", 100), model.call('{"n":2}', "confirm", 100)];
  model.pass(200);
  model.lose();
  assert.deepEqual([...model.lates.keys()], seqs);
});

test("renewing the connection of a lane ends the late request", () => {
  const model = new ExchangeModel(text);
  model.connect();
  const seq = model.call("a", "request", 100);
  model.pass(10_000);
  const outcome = model.lates.get(seq);
  assert.ok(model.renewals === 1 && outcome?.type === "failed", JSON.stringify(outcome));
  assert.equal(outcome.failure.code, "connection_lost");
});

test("a request with a very long id has no late outcome: ten thousand of them could fill the memory", () => {
  const model = new ExchangeModel(jsonRpc);
  model.connect();
  const seq = model.call(echo("x", JSON.stringify("i".repeat(2_000))), "request", 100);
  model.pass(200);
  model.frame(replyTo(model.taken[0]?.frame ?? ""));
  assert.deepEqual([model.exchange.counters.late, model.lates.has(seq)], [1, false]);
});

const rows: Protocol = {
  ...json({ final: [{ has: ["/end"] }], collect: { frames: 3 } }),
  cancel: (id) => `{"cancel":${id}}`,
};

function say(model: ExchangeModel, members: object, at = 0): void {
  const taken = model.taken[at];
  if (taken) taken.proven = true; // a frame about it proves that it arrived
  model.frame(JSON.stringify({ id: idAt(model, at), ...members }));
}

const idAt = (model: ExchangeModel, at: number): number => JSON.parse(String(model.taken[at]?.frame)).id;

const lateFailure = (model: ExchangeModel, seq: number): Failure => {
  const outcome = model.lates.get(seq);
  assert.ok(outcome?.type === "failed", JSON.stringify(outcome));
  return outcome.failure;
};

test("a late reply of several frames is whole, with the frames that came in time", () => {
  const model = new ExchangeModel(rows);
  model.connect();
  const seq = model.call('{"id":"mine"}', "request", 100);
  say(model, { n: 1 });
  model.pass(200);
  assert.match(model.fails(seq, "reply_timeout", "yes").failure.detail, /not whole within 100 ms: one frame came/);
  say(model, { n: 2 });
  say(model, { end: 1 });
  assert.equal(late(model, seq), '[{"id":"mine","n":1},{"id":"mine","n":2},{"id":"mine","end":1}]');
  assert.deepEqual([model.messages, model.ownFrames, model.exchange.nextDeadline], [[], [], undefined]);
});

test("a late reply goes on for longer than the pause between its frames may be", () => {
  const model = new ExchangeModel(rows, { reply_pause: 1_000 });
  model.connect();
  const seq = model.call("{}", "request", 100);
  for (let n = 1; n <= 3; n++) {
    model.pass(900);
    say(model, { n });
  }
  model.pass(900);
  say(model, { end: 1 });
  assert.equal(late(model, seq), '[{"n":1},{"n":2},{"n":3},{"end":1}]');
});

test("a late reply that stalls fails by the pause, and the upstream is told", () => {
  const model = new ExchangeModel(rows, { reply_pause: 1_000 });
  model.connect();
  const seq = model.call("{}", "request", 100);
  say(model, { n: 1 });
  model.pass(200);
  say(model, { n: 2 });
  model.pass(990);
  assert.ok(!model.lates.has(seq));
  model.pass(20);
  const { code, sent, final, detail } = lateFailure(model, seq);
  assert.deepEqual([code, sent, final], ["reply_timeout", "yes", true]);
  assert.match(detail, /2 frames came, and then none for 1000 ms \(limits\.reply_pause\)/);
  assert.deepEqual([model.ownFrames, model.exchange.nextDeadline], [[`{"cancel":${idAt(model, 0)}}`], undefined]);
  say(model, { end: 1 });
  assert.deepEqual([model.exchange.counters.late, model.messages], [2, []]);
});

test("a late reply is bounded in its frames and bytes, those that came in time included", () => {
  for (const [limits, members, bound] of [
    [{}, {}, /more than 3 frames/],
    [{ reply_bytes: 100 }, { fill: "x".repeat(30) }, /limits\.reply_bytes \(100 bytes\)/],
  ] as const) {
    const model = new ExchangeModel(rows, limits);
    model.connect();
    const seq = model.call("{}", "request", 100);
    for (let n = 1; n <= 2; n++) say(model, { n, ...members });
    model.pass(200);
    for (let n = 3; n <= 4; n++) say(model, { n, ...members });
    const { code, detail } = lateFailure(model, seq);
    assert.equal(code, "invalid_reply");
    assert.match(detail, bound);
    assert.equal(model.ownFrames.length, 1);
  }
});

test("a lost connection ends a late reply in the middle and frees the room of its frames", () => {
  const model = new ExchangeModel(rows, { reply_bytes: 100 });
  for (let round = 1; round <= 10; round++) {
    model.connect();
    const seq = model.call("{}", "request", 100);
    const at = model.taken.length - 1;
    say(model, { fill: "x".repeat(60) }, at);
    model.pass(200);
    model.lose();
    assert.deepEqual([lateFailure(model, seq).code, lateFailure(model, seq).sent], ["connection_lost", "yes"]);
  }
});
