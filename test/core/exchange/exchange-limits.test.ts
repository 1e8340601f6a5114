/** Tests of the limits on requests in flight, on waiting bytes and on the wait for a connection. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HOLD_MS } from "../../../src/core/exchange/exchange.ts";
import { jsonRpc } from "../../../src/protocols/json-rpc.ts";
import { text } from "../../../src/protocols/text.ts";
import { echo, replyTo } from "./echo.ts";
import { ExchangeModel } from "./exchange-model.ts";

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

test("a batch needs places for all its items, and is invalid if it exceeds the limit by itself", () => {
  const model = new ExchangeModel(jsonRpc, { in_flight: 3 });
  model.connect();
  model.call(echo("a"));
  const codes = (seq: number) => {
    const outcome = model.outcome(seq);
    assert.ok(outcome.type === "batch");
    return outcome.items.map((item) => item.type === "failed" && [item.failure.code, item.failure.retryAfterMs]);
  };
  const b = echo("b", "1");
  assert.deepEqual(codes(model.call(`[${b},${b},${b}]`)), new Array(3).fill(["too_many_in_flight", 1_000]));
  assert.deepEqual(codes(model.call(`[${b},${b},${b},${b}]`)), new Array(4).fill(["invalid_request", undefined]));
  assert.equal(model.taken.length, 1);
  model.call(`[${b},${b}]`);
  assert.equal(model.taken.length, 3);
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
