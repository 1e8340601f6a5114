/** Tests of the limits on requests in flight, on waiting bytes and on the wait for a connection. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { QUIET_MS } from "../../../src/core/exchange/correlate-by-order.ts";
import { HOLD_MS } from "../../../src/core/exchange/exchange.ts";
import { jsonRpc } from "../../../src/protocols/json-rpc.ts";
import { text } from "../../../src/protocols/text.ts";
import { echo, replyTo } from "./echo.ts";
import { ExchangeModel, exact } from "./exchange-model.ts";

// Requests in flight.

test("a request over the limit is refused, and a place that becomes free is given again", () => {
  const model = new ExchangeModel(jsonRpc, { in_flight: 3 });
  model.connect();
  const first = model.call(echo("a"));
  model.call(echo("b"));
  model.call(echo("c"));
  const fourth = model.fails(model.call(echo("d", "4")), "too_many_in_flight", "no", 1_000);
  assert.equal(fourth.own, "4");
  assert.match(fourth.failure.detail, /limits\.in_flight: 3/);
  model.frame(replyTo(model.taken[0]?.frame ?? ""));
  model.reply(first);
  model.call(echo("e"));
  assert.deepEqual([model.exchange.inFlight, model.taken.length], [3, 4]);
});

test("requests that wait for a connection take places, and sends free theirs once they are sent", () => {
  const model = new ExchangeModel(jsonRpc, { in_flight: 2 });
  model.call(echo("a"), "send");
  model.call(echo("b"), "send");
  model.fails(model.call(echo("c")), "too_many_in_flight", "no", 1_000);
  model.connect();
  assert.equal(model.exchange.inFlight, 0);
});

const batchOf = (...values: readonly number[]) => `[${values.map((value) => echo(value, "1")).join(",")}]`;

/** The value of each reply of a batch, or the code of its failure. */
function ends(model: ExchangeModel, seq: number): unknown[] {
  const outcome = model.outcome(seq);
  assert.ok(outcome.type === "batch", JSON.stringify(outcome));
  return outcome.items.map((item) =>
    item.type === "reply" ? JSON.parse(String(item.body)).result : item.failure.code,
  );
}

/** Replies to the frames that were sent and have no reply yet, one after the other, while there are any. */
function replyToAll(model: ExchangeModel, from = 0): void {
  for (let at = from; at < model.taken.length; at++) model.frame(replyTo(model.taken[at]?.frame ?? ""));
}

test("batches over the limit wait for places, each gets its own in order, and none has to wait for another to end", () => {
  const model = new ExchangeModel(jsonRpc, { in_flight: 3 });
  model.connect();
  const first = model.call(echo(0, "1"));
  const [second, third] = [model.call(batchOf(1, 2, 3, 4, 5)), model.call(batchOf(6, 7))];
  assert.deepEqual([model.exchange.inFlight, model.taken.length], [3, 3]);
  replyToAll(model);
  const order = model.taken.map(({ frame }) => JSON.parse(String(frame)).params);
  assert.deepEqual(order.flat(), [0, 1, 2, 6, 3, 4, 7, 5]);
  assert.match(model.reply(first), /"result":0/);
  assert.deepEqual(
    [ends(model, second), ends(model, third)],
    [
      [1, 2, 3, 4, 5],
      [6, 7],
    ],
  );
  assert.deepEqual([model.exchange.inFlight, model.exchange.nextDeadline], [0, undefined]);
});

test("a single request takes no place that a batch waits for", () => {
  const model = new ExchangeModel(jsonRpc, { in_flight: 2 });
  model.connect();
  model.call(echo("a"), "request", 50);
  model.call(echo("b"));
  const batch = model.call(batchOf(1));
  model.now += 50;
  model.fails(model.call(echo("c")), "too_many_in_flight", "no", 1_000);
  replyToAll(model, 1);
  assert.deepEqual(ends(model, batch), [1]);
});

test("however many batches there are, single requests find places beside them", () => {
  const model = new ExchangeModel(jsonRpc, { in_flight: 64 });
  model.connect();
  const items = Array.from({ length: 100 }, (_, n) => n);
  model.call(batchOf(...items));
  assert.equal(model.exchange.inFlight, 33, "one batch leaves as much as it takes");
  for (let n = 0; n < 7; n++) model.call(batchOf(...items));
  const before = model.exchange.inFlight;
  assert.ok(before < 64 && before >= 56, `${before}`);
  model.call(echo("single"));
  assert.equal(model.exchange.inFlight, before + 1);
});

test("a batch without a place takes the last one, which batches that have some leave to others", () => {
  const model = new ExchangeModel(jsonRpc, { in_flight: 8 });
  model.connect();
  for (let n = 0; n < 7; n++) model.call(echo("single"));
  const batch = model.call(batchOf(1));
  assert.equal(model.exchange.inFlight, 8);
  replyToAll(model);
  assert.deepEqual(ends(model, batch), [1]);
});

test("items that get no place within the deadline of their batch fail as not sent", () => {
  const model = new ExchangeModel(jsonRpc, { in_flight: 2 });
  model.connect();
  model.call(echo("a"), "request", 60_000);
  const batch = model.call(batchOf(1, 2), "rpc", 1_000);
  model.pass(1_010);
  const outcome = model.outcome(batch);
  assert.ok(outcome.type === "batch");
  const failed = outcome.items.map(
    (item) => item.type === "failed" && [item.failure.code, item.failure.sent, item.own],
  );
  assert.deepEqual(failed, [
    ["reply_timeout", "maybe", "1"],
    ["too_many_in_flight", "no", "1"],
  ]);
  assert.equal(model.taken.length, 2);
});

test("a batch that waits fails when the upstream is down or drains, and is forgotten when its caller leaves", () => {
  const full = () => {
    const model = new ExchangeModel(jsonRpc, { in_flight: 1 });
    model.connect();
    model.call(echo("a"));
    return { model, batch: model.call(batchOf(1, 2)) };
  };
  const down = full();
  down.model.down("upstream_down");
  assert.deepEqual(ends(down.model, down.batch), ["upstream_down", "upstream_down"]);
  const drained = full();
  drained.model.carryOut(drained.model.exchange.drain(drained.model.now));
  assert.deepEqual(ends(drained.model, drained.batch), ["shutting_down", "shutting_down"]);
  const left = full();
  left.model.abandon(left.batch);
  replyToAll(left.model);
  assert.deepEqual([left.model.taken.length, left.model.exchange.counters.abandoned], [1, 2]);
});

test("batches that wait count for the bytes that may wait, until they are taken in", () => {
  const body = batchOf(1, 2);
  const model = new ExchangeModel(jsonRpc, { in_flight: 1, buffered_bytes: 2 * body.length });
  model.connect();
  model.call(echo("a"));
  const [first, second, third] = [model.call(body), model.call(body), model.call(body)];
  assert.deepEqual(ends(model, third), ["congested", "congested"]);
  replyToAll(model);
  assert.deepEqual(
    [ends(model, first), ends(model, second)],
    [
      [1, 2],
      [1, 2],
    ],
  );
  model.call(echo("b"));
  const later = [model.call(body), model.call(body)];
  replyToAll(model, 5);
  assert.deepEqual(
    later.map((seq) => ends(model, seq)),
    [
      [1, 2],
      [1, 2],
    ],
  );
});

test("a request past its deadline takes no place from a new one, even before the alarm rings", () => {
  const model = new ExchangeModel(jsonRpc, { in_flight: 2 });
  model.connect();
  const first = model.call(echo("a"), "request", 50);
  const second = model.call(echo("b"), "request", 200);
  model.now += 50;
  model.call(echo("c"));
  assert.deepEqual([model.exchange.inFlight, model.taken.length], [2, 3]);
  model.fails(first, "reply_timeout", "maybe");
  model.fails(model.call(echo("d")), "too_many_in_flight", "no", 1_000);
  model.now += 150;
  const batch = echo("e", "1");
  model.call(`[${batch}]`);
  model.fails(second, "reply_timeout", "maybe");
  assert.equal(model.taken.length, 4);
});

// Waiting bytes.

test("a request that does not fit beside the bytes that the socket holds is refused", () => {
  const model = new ExchangeModel(text, { buffered_bytes: 100 });
  model.connect();
  model.buffered = 91;
  const failed = model.fails(model.call("ten bytes!"), "congested", "no", 1_000);
  assert.match(failed.failure.detail, /limits\.buffered_bytes: 100/);
  model.buffered = 90;
  model.call("ten bytes!");
  assert.equal(model.taken.length, 1);
});

test("a message beyond the limit of one is refused, but not that of a subscription, which the configuration has", () => {
  const model = new ExchangeModel(text, { request_bytes: 10 });
  model.connect();
  const failed = model.fails(model.call("eleven byte"), "payload_too_large", "no");
  assert.match(failed.failure.detail, /limits\.request_bytes \(10 bytes\)/);
  model.subscribe(1, "eleven byte");
  assert.equal(model.taken.length, 1);
});

test("bytes that wait for a connection count until they are written, failed or abandoned", () => {
  const model = new ExchangeModel(text, { buffered_bytes: 100 });
  const long = "x".repeat(60);
  const first = model.call(long);
  model.fails(model.call(long), "congested", "no", 1_000);
  model.abandon(first);
  const second = model.call(long, "request", 1_000);
  model.pass(1_010);
  model.fails(second, "reply_timeout", "no");
  model.call(long);
  model.connect();
  model.frame("done");
  model.pass(QUIET_MS);
  const last = model.call(new Uint8Array(100));
  assert.deepEqual([model.taken.length, model.open], [2, [last]]);
});

// Without a connection.

test("a request waits for a connection at most HOLD_MS and then fails as not sent", () => {
  const model = new ExchangeModel(jsonRpc);
  const seq = model.call(echo("a"));
  model.pass(HOLD_MS - 1);
  assert.deepEqual(model.open, [seq]);
  model.pass(11);
  model.fails(seq, "upstream_down", "no", 1_000);
});

test("a deadline before the end of that wait holds", () => {
  const model = new ExchangeModel(jsonRpc);
  const seq = model.call(echo("a"), "request", 700);
  model.pass(710);
  model.fails(seq, "reply_timeout", "no");
});

test("a request has its whole deadline once there is a connection", () => {
  const model = new ExchangeModel(jsonRpc);
  const seq = model.call(echo("a"), "request", 25_000);
  model.pass(4_900);
  model.connect();
  model.pass(20_000);
  assert.deepEqual(model.open, [seq]);
  model.pass(110);
  model.fails(seq, "reply_timeout", "maybe");
});

test("a request between attempts fails at once with the time until the next attempt", () => {
  for (const code of ["upstream_down", "login_refused"] as const) {
    const model = new ExchangeModel(jsonRpc);
    const held = model.call(echo("held"));
    model.down(code);
    model.fails(held, code, "no", 1_000);
    model.pass(400);
    model.fails(model.call(echo("new")), code, "no", 600);
    model.pass(5_000);
    model.fails(model.call(echo("new")), code, "no", 0);
    assert.deepEqual([model.taken, model.exchange.nextDeadline], [[], undefined]);
  }
});

// Other limits.

const limits = {
  in_flight: 3,
  batch_items: 10,
  request_bytes: 2 ** 20,
  buffered_bytes: 2 ** 20,
  reply_bytes: 2 ** 20,
  reply_pause: 1_000,
  pace: null,
};

test("other limits admit from here on, and what is in flight stays", () => {
  const model = new ExchangeModel(jsonRpc, { in_flight: 3 });
  model.connect();
  const all = ["a", "b", "c"].map((value) => model.call(echo(value)));
  model.carryOut(model.exchange.reconfigure({ ...limits, in_flight: 1 }, [], model.now));
  model.fails(model.call(echo("d")), "too_many_in_flight", "no", 1_000);
  for (const { frame } of model.taken) model.frame(replyTo(frame));
  for (const seq of all) model.reply(seq);
  model.call(echo("e"));
  model.fails(model.call(echo("f")), "too_many_in_flight", "no", 1_000);
  model.carryOut(model.exchange.reconfigure({ ...limits, in_flight: 2 }, [], model.now));
  model.call(echo("g"));
  assert.equal(model.exchange.inFlight, 2);
});

test("a rate limit that comes, changes or goes holds back what the upstream would refuse, and nothing longer", () => {
  const pace = (messages: number) => ({ messages, per: 1_000, queue: 100, ...exact });
  const model = new ExchangeModel(jsonRpc);
  model.connect();
  const reconfigure = (given: typeof limits.pace | ReturnType<typeof pace>) =>
    model.carryOut(model.exchange.reconfigure({ ...limits, in_flight: 100, pace: given }, [], model.now));
  const sent = () => model.taken.length;
  model.call(echo("a"));
  reconfigure(pace(2));
  for (const value of ["b", "c", "d"]) model.call(echo(value));
  assert.equal(sent(), 1, "nobody knows how many went out in the last second");
  model.pass(1_000);
  assert.equal(sent(), 3);
  reconfigure(pace(3));
  assert.equal(sent(), 4, "two of three turns are used up");
  model.call(echo("e"));
  assert.equal(sent(), 4);
  reconfigure(null);
  assert.equal(sent(), 5);
});
