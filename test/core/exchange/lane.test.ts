import assert from "node:assert/strict";
import { test } from "node:test";
import { Lane, TOMBSTONE_MS } from "../../../src/core/exchange/correlate-by-order.ts";
import type { Protocol } from "../../../src/protocols/protocol.ts";
import { text } from "../../../src/protocols/text.ts";
import { ExchangeModel } from "./exchange-model.ts";

function connected(protocol: Protocol = text): ExchangeModel {
  const model = new ExchangeModel(protocol);
  model.connect();
  return model;
}

const frames = (model: ExchangeModel) => model.taken.map(({ frame }) => frame);

// The lane by itself.

test("an empty lane takes anything, and hears what comes as a message", () => {
  const lane = new Lane();
  assert.deepEqual([lane.takes(true), lane.takes(false), lane.until, lane.onFrame()], [true, true, undefined, false]);
});

test("while a reply is owed nothing goes out, until it comes", () => {
  const lane = new Lane();
  lane.bury(1_000, true);
  assert.deepEqual([lane.takes(true), lane.takes(false), lane.until], [false, false, 1_000 + TOMBSTONE_MS]);
  assert.equal(lane.onFrame(), true);
  assert.deepEqual([lane.takes(true), lane.takes(false), lane.until], [true, true, undefined]);
});

test("a reply that is owed and does not come makes the connection useless", () => {
  const lane = new Lane();
  lane.bury(0, true);
  assert.equal(lane.expire(), true);
  assert.deepEqual([lane.takes(false), lane.until], [false, undefined]);
  lane.clear();
  assert.deepEqual([lane.takes(true), lane.until], [true, undefined]);
});

test("after sends only requests are held back, one frame or the time for each of them", () => {
  const lane = new Lane();
  lane.bury(0, false);
  lane.bury(100, false);
  assert.equal(lane.until, 100 + TOMBSTONE_MS, "the last of them counts");
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

test("a request in the queue whose time is up, or whose caller left, is never sent", () => {
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

test("a late reply goes to nobody, and then the next request is sent", () => {
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

test("the answer to a send is a message, and holds back only the next request", () => {
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

test("a send that is not answered holds back the next request for TOMBSTONE_MS, and renews nothing", () => {
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

test("a send waits behind the request that is in flight, and goes before the next one", () => {
  const model = connected();
  model.call("a");
  const send = model.call("s", "send");
  model.call("b");
  assert.deepEqual([frames(model), model.open.includes(send)], [["a"], true]);
  model.frame("A");
  assert.deepEqual([frames(model), model.outcome(send)], [["a", "s"], { type: "done" }]);
});

test("a send does not overtake a request that waits for the answer to an earlier one", () => {
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

test("of several sends the last one's time holds back the next request", () => {
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

test("when the socket takes nothing more the rest of the queue waits, however long it is", () => {
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

test("a frame that comes while nobody waits is a message", () => {
  const model = connected();
  model.frame("hello");
  const seq = model.call("a");
  model.frame("A");
  assert.deepEqual([model.messages, model.reply(seq)], [["hello"], "A"]);
});

test("a reply that cannot be used is a reply all the same: it fails its request and nothing shifts", () => {
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
