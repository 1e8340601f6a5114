/** Tests of lanes whose connection is renewed, lost or superseded. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TOMBSTONE_MS } from "../../../src/core/exchange/correlate-by-order.ts";
import { HOLD_MS } from "../../../src/core/exchange/exchange.ts";
import type { Protocol } from "../../../src/protocols/protocol.ts";
import { text as plainText } from "../../../src/protocols/text.ts";
import { ExchangeModel } from "./exchange-model.ts";

/** As the preset with rules: it can tell replies from messages, so nothing waits for a frame too many. */
const text: Protocol = { ...plainText, takesEveryFrame: false };

function connected(): ExchangeModel {
  const model = new ExchangeModel(text);
  model.connect();
  return model;
}

const frames = (model: ExchangeModel) => model.taken.map(({ frame }) => frame);

test("a reply owed for too long renews the connection, and the queue goes only to the new one", () => {
  const model = connected();
  model.call("a", "request", 100);
  const second = model.call("b", "request", 60_000);
  model.pass(110 + TOMBSTONE_MS + 10);
  assert.equal(model.renewals, 1);
  assert.deepEqual(frames(model), ["a"]);
  model.connect();
  assert.deepEqual(
    model.taken.map(({ frame, connection }) => [frame, connection]),
    [
      ["a", 1],
      ["b", 2],
    ],
  );
  model.frame("B");
  assert.equal(model.reply(second), "B");
  assert.equal(model.exchange.nextDeadline, undefined);
});

test("a frame of the old connection after a renewal answers no request of the new one", () => {
  const model = connected();
  model.call("a", "request", 100);
  model.pass(110 + TOMBSTONE_MS + 10);
  model.connect();
  const second = model.call("b");
  model.frame("A", 1);
  assert.deepEqual([model.open, model.messages], [[second], ["A"]]);
  model.frame("B");
  assert.equal(model.reply(second), "B");
});

test("a frame of the old connection after a renewal is not the reply that the new one owes", () => {
  const model = connected();
  model.call("a", "request", 100);
  model.pass(110 + TOMBSTONE_MS + 10);
  model.connect();
  model.call("b", "request", 100);
  const third = model.call("c");
  model.pass(200);
  model.frame("A", 1);
  assert.deepEqual(frames(model), ["a", "b"]);
  model.frame("B");
  model.frame("C");
  assert.equal(model.reply(third), "C");
});

test("a lost connection owes no replies", () => {
  const model = connected();
  const first = model.call("a");
  const second = model.call("b");
  model.lose();
  model.fails(first, "connection_lost", "maybe");
  model.fails(second, "upstream_down", "no", 1_000);
  model.connect();
  const third = model.call("c");
  model.frame("C");
  assert.deepEqual([frames(model), model.reply(third)], [["a", "c"], "C"]);
});

test("a reply owed by a lost connection has no deadline", () => {
  const model = connected();
  model.call("a", "request", 100);
  model.pass(110);
  model.lose();
  assert.equal(model.exchange.nextDeadline, undefined);
});

test("a reply that a connection owes does not hold back its successor", () => {
  const model = connected();
  model.call("a", "request", 100);
  model.pass(110);
  const second = model.call("b");
  assert.deepEqual(frames(model), ["a"]);
  model.succeed();
  assert.deepEqual(frames(model), ["a", "b"]);
  model.frame("B");
  assert.deepEqual([model.reply(second), model.exchange.nextDeadline], ["B", undefined]);
});

test("a reply that a connection comes to owe after it is superseded does not hold back its successor", () => {
  const model = connected();
  const first = model.call("a", "request", 100);
  model.succeed();
  const second = model.call("b");
  model.pass(110);
  model.fails(first, "reply_timeout", "maybe");
  assert.deepEqual(frames(model), ["a", "b"]);
  model.frame("B");
  assert.deepEqual([model.reply(second), model.exchange.nextDeadline, model.renewals], ["B", undefined, 0]);
});

test("a request that waits gets HOLD_MS from when its connection is renewed", () => {
  const model = new ExchangeModel(text);
  model.connect();
  model.call("slow", "request", 1_000);
  const waits = model.call("waits", "request", 60_000);
  model.pass(1_010 + 5_010);
  assert.equal(model.renewals, 1);
  model.pass(HOLD_MS + 10);
  model.fails(waits, "upstream_down", "no", 1_000);
});
