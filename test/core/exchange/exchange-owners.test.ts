/** Tests of the owners of requests: each numbers its own, so one number stands for two requests. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonRpc } from "../../../src/protocols/json-rpc.ts";
import { echo, replyTo } from "./echo.ts";
import { ExchangeModel, exact } from "./exchange-model.ts";

function connected(): ExchangeModel {
  const model = new ExchangeModel(jsonRpc);
  model.connect();
  return model;
}

const frameAt = (model: ExchangeModel, at: number) => model.taken[at]?.frame ?? "";

test("a caller's request and one of the subscriptions with the same number each get their own reply", () => {
  const model = connected();
  const seq = model.call(echo("caller"));
  model.subscribe(seq, echo("subscription"));
  model.frame(replyTo(frameAt(model, 1)));
  assert.deepEqual(model.open, [seq]);
  const outcome = model.subscriptionOutcomes.get(seq);
  assert.ok(outcome?.type === "reply", JSON.stringify(outcome));
  assert.match(String(outcome.body), /"subscription"/);
  model.frame(replyTo(frameAt(model, 0)));
  assert.match(model.reply(seq), /"caller"/);
});

test("batches with the same number gather the outcomes of their own items", () => {
  const model = connected();
  const seq = model.call(`[${echo("a", "1")},${echo("b", "2")}]`, "rpc");
  model.subscribe(seq, `[${echo("c", "3")},${echo("d", "4")}]`);
  for (const { frame } of model.taken.toReversed()) model.frame(replyTo(frame));
  const results = [model.outcome(seq), model.subscriptionOutcomes.get(seq)].map((outcome) => {
    assert.ok(outcome?.type === "batch", JSON.stringify(outcome));
    return outcome.items.map((item) => item.type === "reply" && JSON.parse(String(item.body)).result);
  });
  assert.deepEqual(results, [
    ["a", "b"],
    ["c", "d"],
  ]);
});

test("abandoning a caller's request leaves the one of the subscriptions with the same number", () => {
  const model = connected();
  const seq = model.call(echo("caller"));
  model.subscribe(seq, echo("subscription"));
  model.abandon(seq);
  assert.deepEqual([model.exchange.inFlight, model.exchange.counters.abandoned], [1, 1]);
  model.frame(replyTo(frameAt(model, 1)));
  assert.equal(model.subscriptionOutcomes.get(seq)?.type, "reply");
});

test("withdrawing the requests of the subscriptions leaves those of callers", () => {
  const model = new ExchangeModel(jsonRpc);
  const seq = model.call(echo("caller"));
  model.subscribe(seq, echo("subscription"));
  model.exchange.withdraw("subscriptions");
  model.connect();
  assert.deepEqual(
    model.taken.map(({ owner }) => owner),
    ["caller"],
  );
  assert.equal(model.subscriptionOutcomes.size, 0);
});

test("a late reply reaches the owner of its request", () => {
  const model = connected();
  const seq = model.call(echo("caller"), "request", 100);
  model.subscribe(seq, echo("subscription"), 100);
  model.pass(200);
  model.frame(replyTo(frameAt(model, 1)));
  assert.deepEqual([model.lates.has(seq), model.subscriptionLates.get(seq)?.type], [false, "reply"]);
  model.frame(replyTo(frameAt(model, 0)));
  assert.equal(model.lates.get(seq)?.type, "reply");
});

test("a caller waits for its turn at the pace behind one renewal, not behind all, and they do not wait for all callers", () => {
  const pace = { messages: 1, per: 100, queue: 100, ...exact };
  const model = new ExchangeModel(jsonRpc, { pace });
  for (let seq = 1; seq <= 50; seq++) model.subscribe(seq, echo("renewal"));
  model.connect();
  for (const name of ["a", "b", "c"]) model.call(echo(name));
  model.pass(600);
  assert.deepEqual(
    model.taken.map(({ owner }) => owner),
    ["subscriptions", "caller", "subscriptions", "caller", "subscriptions", "caller", "subscriptions"],
  );
});

test("renewals do not fill the queue that the pace leaves to callers", () => {
  const pace = { messages: 1, per: 100, queue: 2, ...exact };
  const model = new ExchangeModel(jsonRpc, { pace });
  model.subscribe(1, echo("one"));
  model.subscribe(2, echo("two"));
  const calls = ["a", "b"].map((name) => model.call(echo(name), "send"));
  model.connect();
  calls.push(model.call(echo("c"), "send"));
  model.fails(model.call(echo("d"), "send"), "paced", "no", 200);
  model.pass(400);
  for (const seq of calls) assert.equal(model.outcome(seq).type, "done");
});

test("where all frames count, our own use up turns, and messages leave one for them", () => {
  const pace = { messages: 3, per: 1_000, queue: 10, ...exact, counts: "all" } as const;
  const model = new ExchangeModel(jsonRpc, { pace });
  model.connect();
  for (const name of ["a", "b", "c", "d"]) model.call(echo(name), "send");
  assert.equal(model.taken.length, 2, "one of three turns is left for a ping");
  model.exchange.onOwnFrame(model.now);
  model.pass(999);
  assert.equal(model.taken.length, 2);
  model.pass(1);
  assert.equal(model.taken.length, 4);
});

test("where only messages count, our own frames use up no turn", () => {
  const model = new ExchangeModel(jsonRpc, { pace: { messages: 1, per: 1_000, queue: 10, ...exact } });
  model.connect();
  model.exchange.onOwnFrame(model.now);
  model.call(echo("a"), "send");
  assert.equal(model.taken.length, 1);
});
