/** Tests of sends that wait for a proof of delivery, and of the rate limit. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonRpc } from "../../../src/protocols/json-rpc.ts";
import { text } from "../../../src/protocols/text.ts";
import { echo } from "./echo.ts";
import { cut, ExchangeModel, exact } from "./exchange-model.ts";

test("a confirmed send ends with the pong of a ping that was sent after it, and not before", () => {
  for (const protocol of [jsonRpc, text]) {
    const model = new ExchangeModel(protocol);
    model.connect();
    const seq = model.call(echo("a"), "confirm");
    assert.deepEqual([model.taken.length, model.pings.length, model.open], [1, 1, [seq]]);
    model.pong();
    assert.deepEqual(model.outcome(seq), { type: "done" });
    assert.equal(model.exchange.inFlight, 0);
  }
});

test("a confirmed send that missed the ping on its way gets another ping once that pong has come", () => {
  const model = new ExchangeModel(jsonRpc);
  model.connect();
  const first = model.call(echo("a"), "confirm");
  const second = model.call(echo("b"), "confirm");
  // The session sends no second ping while one is on its way.
  model.pings.splice(1);
  model.pong();
  assert.deepEqual(model.outcome(first), { type: "done" });
  assert.deepEqual([model.open, model.pings.length], [[second], 1]);
  model.pong();
  assert.deepEqual(model.outcome(second), { type: "done" });
  assert.equal(model.pings.length, 0, "no send is left to confirm");
});

test("a confirmed send without its proof fails as maybe sent, or as not sent if it never was", () => {
  const model = new ExchangeModel(jsonRpc);
  model.connect();
  const late = model.call(echo("a"), "confirm", 1_000);
  model.pass(1_100);
  const lost = model.call(echo("b"), "confirm");
  model.lose(cut);
  model.fails(lost, "connection_lost", "maybe");
  model.fails(late, "reply_timeout", "maybe");
  model.fails(model.call(echo("c"), "confirm"), "upstream_down", "no", 1_000);
});

const pace = { messages: 2, per: 1_000, queue: 3, ...exact };

test("messages over the rate limit wait, and over its queue are refused with the time until there is room", () => {
  const model = new ExchangeModel(jsonRpc, { pace });
  model.connect();
  for (const name of ["a", "b", "c", "d", "e"]) model.call(echo(name), "send");
  assert.equal(model.taken.length, 2);
  const refused = model.fails(model.call(echo("f"), "send"), "paced", "no", 1_000);
  assert.match(
    refused.failure.detail,
    /at most 2 messages in 1000 ms may be sent, and 3 are already queued \(limits\.pace\)/,
  );
  model.pass(1_000);
  assert.equal(model.taken.length, 4);
  const retried = model.call(echo("g"), "send");
  model.pass(1_000);
  assert.equal(model.outcome(retried).type, "done");
});

test("a request that the rate limit holds past its deadline was not sent", () => {
  const model = new ExchangeModel(jsonRpc, { pace });
  model.connect();
  for (const name of ["a", "b"]) model.call(echo(name));
  const third = model.call(echo("c"), "request", 500);
  model.pass(600);
  model.fails(third, "reply_timeout", "no");
  assert.equal(model.taken.length, 2);
});

test("the rate limit carries over to a new connection", () => {
  const model = new ExchangeModel(jsonRpc, { pace });
  model.connect();
  for (const name of ["a", "b"]) model.call(echo(name), "send");
  model.lose(cut);
  model.connect();
  model.call(echo("c"), "send");
  assert.equal(model.taken.length, 2);
});
