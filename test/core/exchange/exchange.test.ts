/** Tests of the exchange: correlation, outcomes and `sent`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HOLD_MS } from "../../../src/core/exchange/exchange.ts";
import { jsonRpc } from "../../../src/protocols/json-rpc.ts";
import { text } from "../../../src/protocols/text.ts";
import { echo, replyTo } from "./echo.ts";
import { ExchangeModel } from "./exchange-model.ts";

function connected(): ExchangeModel {
  const model = new ExchangeModel(jsonRpc);
  model.connect();
  return model;
}

const wireId = (model: ExchangeModel, at: number): number => JSON.parse(String(model.taken[at]?.frame)).id;

test("two callers with the same id each get their own reply, with that id", () => {
  const model = connected();
  const first = model.call(echo("one", "7"));
  const second = model.call(echo("two", "7"));
  assert.notEqual(wireId(model, 0), wireId(model, 1));
  model.frame(replyTo(model.taken[1]?.frame ?? ""));
  model.frame(replyTo(model.taken[0]?.frame ?? ""));
  assert.equal(model.reply(first), '{"jsonrpc":"2.0","id":7,"result":"one"}');
  assert.equal(model.reply(second), '{"jsonrpc":"2.0","id":7,"result":"two"}');
});

test("a reply that comes twice answers once and is then unclaimed", () => {
  const model = connected();
  const seq = model.call(echo("one"));
  const answer = replyTo(model.taken[0]?.frame ?? "");
  model.frame(answer);
  model.frame(answer);
  assert.match(model.reply(seq), /"one"/);
  assert.deepEqual(model.messages, [answer]);
  assert.deepEqual([model.exchange.counters.replies, model.exchange.counters.unclaimed], [1, 1]);
});

test("an abandoned request frees its place at once, and its reply is late", () => {
  const model = connected();
  const seq = model.call(echo("one"));
  model.abandon(seq);
  assert.deepEqual([model.exchange.inFlight, model.exchange.nextDeadline], [0, undefined]);
  model.frame(replyTo(model.taken[0]?.frame ?? ""));
  assert.deepEqual([model.exchange.counters.abandoned, model.exchange.counters.late], [1, 1]);
});

test("a request that is abandoned before it was sent is not sent", () => {
  const model = new ExchangeModel(jsonRpc);
  model.abandon(model.call(echo("one")));
  assert.deepEqual([model.exchange.inFlight, model.exchange.nextDeadline], [0, undefined]);
  model.connect();
  assert.deepEqual(model.taken, []);
});

test("abandoning a request that has ended, or never was, changes nothing", () => {
  const model = connected();
  const seq = model.call(echo("one"));
  model.frame(replyTo(model.taken[0]?.frame ?? ""));
  assert.deepEqual(model.exchange.abandon(seq, model.now), []);
  assert.deepEqual(model.exchange.abandon(99, model.now), []);
  assert.equal(model.exchange.counters.abandoned, 0);
});

test("a reply of the old connection does not answer a request of the new one", () => {
  const model = connected();
  const first = model.call(echo("one"));
  model.connect();
  model.fails(first, "connection_lost", "maybe");
  const second = model.call(echo("two"));
  const forged = JSON.stringify({ id: wireId(model, 1), result: "forged" });
  model.frame(forged, 1);
  assert.deepEqual(model.open, [second]);
  model.frame(replyTo(model.taken[1]?.frame ?? ""));
  assert.match(model.reply(second), /"two"/);
});

test("an invalid reply fails its request as `sent: yes`, with the reason", () => {
  const model = connected();
  const seq = model.call(echo("one", '"mine"'));
  model.frame(`{"jsonrpc":"2.0","id":${wireId(model, 0)}}`);
  const failed = model.fails(seq, "invalid_reply", "yes");
  assert.match(failed.failure.detail, /neither/);
  assert.equal(failed.own, '"mine"');
});

test("unsolicited frames are passed on unchanged and counted by their kind", () => {
  const model = connected();
  const frames = ['{"jsonrpc":"2.0","method":"tick"}', '{"id":9999,"result":1}', "{not json", new Uint8Array([255])];
  for (const frame of frames) model.frame(frame);
  assert.deepEqual(model.messages, frames);
  const { messages, noise, unclaimed } = model.exchange.counters;
  assert.deepEqual([messages, noise, unclaimed], [4, 2, 1]);
});

test("a reply has the times that its request waited here and for the upstream", () => {
  const model = new ExchangeModel(jsonRpc);
  const seq = model.call(echo("one"));
  model.pass(300);
  model.connect();
  model.pass(70);
  model.frame(replyTo(model.taken[0]?.frame ?? ""));
  const outcome = model.outcome(seq);
  assert.ok(outcome.type === "reply");
  assert.deepEqual([outcome.queueMs, outcome.upstreamMs], [300, 70]);
});

test("a request times out at its deadline, not before, and probes the peer", () => {
  const model = connected();
  const seq = model.call(echo("one"), "request", 1_000);
  model.pass(999);
  assert.deepEqual([model.open, model.pings.length], [[seq], 0]);
  model.pass(11);
  model.fails(seq, "reply_timeout", "maybe");
  assert.equal(model.pings.length, 1);
});

test("a pong turns `maybe` into `yes` only for what was sent before its ping", () => {
  const model = connected();
  const before = model.call(echo("before"));
  model.ping();
  const after = model.call(echo("after"));
  model.pong();
  model.lose();
  model.fails(before, "connection_lost", "yes");
  model.fails(after, "connection_lost", "maybe");
});

test("a request that the peer is proven to have times out as `yes` without a probe", () => {
  const model = connected();
  const seq = model.call(echo("one"), "request", 1_000);
  model.ping();
  model.pong();
  model.pass(1_010);
  model.fails(seq, "reply_timeout", "yes");
  assert.equal(model.pings.length, 0);
});

test("a pong of the old connection proves nothing about the new one", () => {
  const model = connected();
  model.call(echo("old"));
  model.ping();
  model.pong();
  model.connect();
  const seq = model.call(echo("new"));
  model.exchange.onProven(1, 1, model.now);
  model.lose();
  model.fails(seq, "connection_lost", "maybe");
  assert.equal(model.exchange.counters.connects, 2);
});

test("a message that the socket refuses was not sent, and those after it wait for the next connection", () => {
  for (const protocol of [jsonRpc, text]) {
    for (const kind of ["request", "rpc", "send"] as const) {
      const model = new ExchangeModel(protocol);
      model.connect();
      model.takes = false;
      model.fails(model.call(echo("one", "1"), kind), "connection_lost", "no");
      const next = model.call(echo("two", "2"), kind);
      assert.deepEqual(model.open, [next]);
      model.lose();
      model.fails(next, "upstream_down", "no", 1_000);
      assert.equal(model.exchange.inFlight, 0);
    }
  }
});

test("messages that wait after a refused write go out on the next connection or fail after HOLD_MS", () => {
  const model = connected();
  model.takes = false;
  model.fails(model.call(echo("one", "1")), "connection_lost", "no");
  const served = model.call(echo("two", "2"));
  model.connect();
  assert.deepEqual(model.open, [served]);
  assert.equal(model.taken.at(-1)?.connection, 2);
  model.takes = false;
  model.fails(model.call(echo("three", "3")), "connection_lost", "no");
  const waits = model.call(echo("four", "4"));
  model.pass(HOLD_MS + 100);
  model.fails(waits, "upstream_down", "no", 1_000);
});

test("a send and a notification are done once the socket has taken them", () => {
  const model = connected();
  const send = model.call(echo("one"), "send");
  const notification = model.call(echo("two"), "rpc");
  assert.deepEqual([model.outcome(send), model.outcome(notification)], [{ type: "done" }, { type: "done" }]);
  assert.deepEqual(
    model.taken.map(({ frame }) => frame),
    [echo("one"), echo("two")],
  );
  assert.deepEqual([model.exchange.inFlight, model.exchange.nextDeadline], [0, undefined]);
});

test("the reply to a send with an id is an unsolicited message", () => {
  const model = connected();
  assert.deepEqual(model.outcome(model.call(echo("one", '"x"'), "send")), { type: "done" });
  model.frame(replyTo(model.taken[0]?.frame ?? ""));
  assert.equal(model.messages.length, 1);
});

test("a body that is not valid in the protocol is refused with the reason and the caller's id", () => {
  const model = connected();
  const parse = model.fails(model.call("{"), "invalid_request", "no");
  assert.equal(parse.invalid, "parse");
  const shape = model.fails(model.call('{"jsonrpc":"2.0","id":"x"}'), "invalid_request", "no");
  assert.deepEqual([shape.invalid, shape.own], ["shape", '"x"']);
  assert.deepEqual([model.taken, model.exchange.inFlight], [[], 0]);
});

test("an error that is not the caller's mistake is thrown", () => {
  const broken = { ...text, encode: () => assert.fail("a bug") };
  const model = new ExchangeModel(broken);
  assert.throws(() => model.call("x"), /a bug/);
});
