/** Tests of the exchange during the exit: drain and cancel. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { QUIET_MS } from "../../../src/core/exchange/correlate-by-order.ts";
import { jsonRpc } from "../../../src/protocols/json-rpc.ts";
import { text } from "../../../src/protocols/text.ts";
import { echo } from "./echo.ts";
import { ExchangeModel } from "./exchange-model.ts";

test("drain fails unsent requests, lets replies come and refuses new requests", () => {
  const model = new ExchangeModel(text);
  model.connect();
  const sent = model.call("sent");
  const held = model.call("held");
  const send = model.call("send", "send");
  assert.deepEqual([model.exchange.inFlight, model.exchange.onTheWire], [3, 1]);
  model.carryOut(model.exchange.drain(model.now));
  model.fails(held, "shutting_down", "no");
  model.fails(send, "shutting_down", "no");
  model.fails(model.call("new"), "shutting_down", "no");
  assert.deepEqual([model.exchange.inFlight, model.exchange.onTheWire], [1, 1]);
  model.frame("answer");
  assert.equal(model.reply(sent), "answer");
  model.pass(QUIET_MS);
  assert.deepEqual([model.exchange.inFlight, model.exchange.nextDeadline], [0, undefined]);
});

test("draining keeps deadlines, and a new connection revives nothing", () => {
  const model = new ExchangeModel(jsonRpc);
  model.connect();
  const seq = model.call(echo("a"), "request", 1_000);
  model.carryOut(model.exchange.drain(model.now));
  model.pass(1_010);
  model.fails(seq, "reply_timeout", "maybe");
  model.connect();
  model.fails(model.call(echo("new")), "shutting_down", "no");
  assert.equal(model.taken.length, 1);
});

test("cancel fails each request by what is known: not sent, maybe received, received", () => {
  const model = new ExchangeModel(jsonRpc);
  model.connect();
  const yes = model.call(echo("yes"));
  model.ping();
  model.pong();
  const maybe = model.call(echo("maybe"));
  model.availability({ type: "hold" });
  const no = model.call(echo("no"));
  const { effects, counts } = model.exchange.cancel();
  model.carryOut(effects);
  assert.deepEqual(counts, { no: 1, maybe: 1, yes: 1 });
  model.fails(yes, "cancelled", "yes");
  model.fails(maybe, "cancelled", "maybe");
  model.fails(no, "shutting_down", "no");
  assert.deepEqual(model.exchange.cancel(), { effects: [], counts: { no: 0, maybe: 0, yes: 0 } });
});

test("cancel clears what a lane is owed", () => {
  const model = new ExchangeModel(text);
  model.connect();
  model.call("late", "request", 100);
  model.pass(200);
  model.call("waits");
  model.carryOut(model.exchange.cancel().effects);
  assert.deepEqual([model.open, model.exchange.inFlight, model.exchange.nextDeadline], [[], 0, undefined]);
});
