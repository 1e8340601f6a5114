/** Tests of the lane, in which requests without ids go one at a time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Lane, TOMBSTONE_MS } from "../../../src/core/exchange/correlate-by-order.ts";
import type { Protocol } from "../../../src/protocols/protocol.ts";
import { text as plainText } from "../../../src/protocols/text.ts";
import { ExchangeModel } from "./exchange-model.ts";

/** As the preset with rules: it can tell replies from messages, so nothing waits for a frame too many. */
const text: Protocol = { ...plainText, takesEveryFrame: false };

function connected(protocol: Protocol = text): ExchangeModel {
  const model = new ExchangeModel(protocol);
  model.connect();
  return model;
}

const frames = (model: ExchangeModel) => model.taken.map(({ frame }) => frame);

// The tombstones by themselves.

test("an empty lane takes anything, and a frame is a message", () => {
  const lane = new Lane();
  assert.deepEqual([lane.takes(true), lane.takes(false), lane.until, lane.onFrame()], [true, true, undefined, false]);
});

test("an owed reply holds back everything until it comes", () => {
  const lane = new Lane();
  lane.bury(1_000, true);
  assert.deepEqual([lane.takes(true), lane.takes(false), lane.until], [false, false, 1_000 + TOMBSTONE_MS]);
  assert.equal(lane.onFrame(), true);
  assert.deepEqual([lane.takes(true), lane.takes(false), lane.until], [true, true, undefined]);
});

test("an owed reply that does not come makes the connection unusable", () => {
  const lane = new Lane();
  lane.bury(0, true);
  assert.equal(lane.expire(), true);
  assert.deepEqual([lane.takes(false), lane.until], [false, undefined]);
  lane.clear();
  assert.deepEqual([lane.takes(true), lane.until], [true, undefined]);
});

test("sends hold back only requests, until one frame for each of them has come or the time is over", () => {
  const lane = new Lane();
  lane.bury(0, false);
  lane.bury(100, false);
  assert.equal(lane.until, 100 + TOMBSTONE_MS, "the last send counts");
  assert.deepEqual([lane.takes(true), lane.takes(false)], [false, true]);
  assert.equal(lane.onFrame(), false);
  assert.deepEqual([lane.takes(true), lane.until], [false, 100 + TOMBSTONE_MS]);
  assert.equal(lane.onFrame(), false);
  assert.deepEqual([lane.takes(true), lane.until], [true, undefined]);
  lane.bury(0, false);
  assert.equal(lane.expire(), false);
  assert.deepEqual([lane.takes(true), lane.until], [true, undefined]);
});

// The lane in the exchange.

test("requests go out one at a time, in the order of their arrival", () => {
  const model = connected();
  const all = ["a", "b", "c"].map((body) => model.call(body));
  assert.deepEqual(frames(model), ["a"]);
  for (const answer of ["A", "B", "C"]) model.frame(answer);
  assert.deepEqual(frames(model), ["a", "b", "c"]);
  assert.deepEqual(
    all.map((seq) => model.reply(seq)),
    ["A", "B", "C"],
  );
});

test("a queued request that times out or is abandoned is never sent", () => {
  const model = connected();
  model.call("a");
  const timed = model.call("b", "request", 100);
  const left = model.call("c");
  const last = model.call("d");
  model.abandon(left);
  model.pass(110);
  model.fails(timed, "reply_timeout", "no");
  model.frame("A");
  model.frame("D");
  assert.deepEqual([frames(model), model.reply(last)], [["a", "d"], "D"]);
});

test("a late reply answers no request and lets the next one go out", () => {
  for (const leave of ["timeout", "abandon"]) {
    const model = connected();
    const first = model.call("a", "request", 100);
    if (leave === "abandon") model.abandon(first);
    const second = model.call("b");
    model.pass(200);
    assert.deepEqual(frames(model), ["a"]);
    model.frame("A");
    assert.deepEqual([frames(model), model.open, model.exchange.counters.late], [["a", "b"], [second], 1]);
    model.frame("B");
    assert.equal(model.reply(second), "B");
    assert.deepEqual([model.messages, model.exchange.nextDeadline], [[], undefined]);
  }
});

test("the next frame is a reply's while one is owed, even to nobody, and on no other connection", () => {
  const model = connected();
  const owes = () => [model.connection, model.connection + 1].map((each) => model.exchange.owesNext(each));
  assert.deepEqual(owes(), [false, false]);
  model.call("a", "request", 100);
  assert.deepEqual(owes(), [true, false]);
  model.pass(110);
  assert.deepEqual(owes(), [true, false]);
  model.frame("A");
  assert.deepEqual(owes(), [false, false]);
  model.call("s", "send");
  assert.deepEqual(owes(), [false, false]);
});

test("a frame after a send is a message, and only the next request waits for it", () => {
  const model = connected();
  assert.deepEqual(model.outcome(model.call("s1", "send")), { type: "done" });
  assert.deepEqual(model.outcome(model.call("s2", "send")), { type: "done" });
  const seq = model.call("a");
  assert.deepEqual(frames(model), ["s1", "s2"]);
  model.frame("S1");
  model.frame("S2");
  assert.deepEqual(
    [frames(model), model.messages],
    [
      ["s1", "s2", "a"],
      ["S1", "S2"],
    ],
  );
  model.frame("A");
  assert.equal(model.reply(seq), "A");
});

test("a send without a reply holds back the next request for TOMBSTONE_MS and renews nothing", () => {
  const model = connected();
  model.call("s", "send");
  model.pass(100);
  const seq = model.call("a");
  model.pass(TOMBSTONE_MS - 101);
  assert.deepEqual(frames(model), ["s"]);
  model.pass(11);
  assert.deepEqual([frames(model), model.renewals], [["s", "a"], 0]);
  model.frame("A");
  assert.equal(model.reply(seq), "A");
  assert.equal(model.exchange.nextDeadline, undefined);
});

test("a tombstone is due exactly TOMBSTONE_MS after its message, and has no deadline once its frame has come", () => {
  const model = connected();
  model.now = 1_003;
  model.call("s", "send");
  assert.equal(model.exchange.nextDeadline, 1_003 + TOMBSTONE_MS);
  model.frame("S");
  assert.equal(model.exchange.nextDeadline, undefined);
});

test("a send waits behind the request in flight and goes before the next one", () => {
  const model = connected();
  model.call("a");
  const send = model.call("s", "send");
  model.call("b");
  assert.deepEqual([frames(model), model.open.includes(send)], [["a"], true]);
  model.frame("A");
  assert.deepEqual([frames(model), model.outcome(send)], [["a", "s"], { type: "done" }]);
});

test("a send does not overtake a request that an earlier send holds back", () => {
  const model = connected();
  model.call("s1", "send");
  const seq = model.call("a");
  model.call("s2", "send");
  assert.deepEqual(frames(model), ["s1"]);
  model.frame("S1");
  assert.deepEqual(frames(model), ["s1", "a"]);
  model.frame("A");
  assert.deepEqual([frames(model), model.reply(seq)], [["s1", "a", "s2"], "A"]);
});

test("the last of several sends determines how long the next request is held back", () => {
  const model = connected();
  model.call("s1", "send");
  model.pass(3_000);
  model.call("s2", "send");
  const seq = model.call("a");
  model.pass(TOMBSTONE_MS - 1);
  assert.deepEqual(frames(model), ["s1", "s2"]);
  model.pass(11);
  assert.deepEqual([frames(model), model.open], [["s1", "s2", "a"], [seq]]);
});

test("a queue of any length waits when the socket takes nothing more", () => {
  const model = new ExchangeModel(text, { in_flight: 20_000, buffered_bytes: 1_000_000 });
  model.connect();
  const first = model.call("a");
  const second = model.call("b");
  const rest = Array.from({ length: 10_000 }, () => model.call("c"));
  model.takes = false;
  model.frame("A");
  assert.equal(model.reply(first), "A");
  model.fails(second, "connection_lost", "no");
  assert.deepEqual(model.open, rest);
  model.lose();
  for (const seq of rest) model.fails(seq, "upstream_down", "no", 1_000);
  assert.deepEqual([model.exchange.inFlight, model.exchange.nextDeadline], [0, undefined]);
});

test("a frame that comes while no request is in flight is a message", () => {
  const model = connected();
  model.frame("hello");
  const seq = model.call("a");
  model.frame("A");
  assert.deepEqual([model.messages, model.reply(seq)], [["hello"], "A"]);
});

test("an unusable reply fails its request, and no later reply shifts", () => {
  const picky: Protocol = {
    ...text,
    decode: (frame) => (frame === "?" ? { type: "invalid", id: 0, why: "it asks back" } : text.decode(frame)),
  };
  const model = connected(picky);
  const first = model.call("a");
  const second = model.call("b", "request", 100);
  const third = model.call("c");
  model.frame("?");
  assert.equal(model.fails(first, "invalid_reply", "yes").failure.detail, "it asks back");
  model.pass(200);
  model.fails(second, "reply_timeout", "maybe");
  model.frame("?");
  assert.equal(model.exchange.counters.late, 1);
  model.frame("C");
  assert.equal(model.reply(third), "C");
});
