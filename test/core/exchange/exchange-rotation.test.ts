/** Tests of two open connections: the replies that the older one owes, and its successor, which they must not touch. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { json } from "../../../src/protocols/json.ts";
import { jsonRpc } from "../../../src/protocols/json-rpc.ts";
import { text } from "../../../src/protocols/text.ts";
import { echo, replyTo } from "./echo.ts";
import { ExchangeModel, exact } from "./exchange-model.ts";

const keep = json({ id: { kind: "keep" } });

test("a reply on its way over the old connection does not hold back a lane on the new one", () => {
  const model = new ExchangeModel(text);
  model.connect();
  const first = model.call("a");
  model.succeed();
  const second = model.call("b");
  model.succeed();
  const third = model.call("c");
  assert.deepEqual(
    model.taken.map(({ frame, connection }) => [frame, connection]),
    [
      ["a", 1],
      ["b", 2],
      ["c", 3],
    ],
  );
  model.frame("B", 2);
  model.frame("A", 1);
  model.frame("C", 3);
  assert.deepEqual(
    [first, second, third].map((seq) => model.reply(seq)),
    ["A", "B", "C"],
  );
});

test("a late reply over the old connection frees no id that the new one may still reply to", () => {
  const model = new ExchangeModel(keep);
  model.connect();
  const waits = model.call('{"id":"other"}');
  model.call('{"id":"x","n":1}', "request", 100);
  model.pass(110);
  model.succeed();
  model.call('{"id":"x","n":2}', "request", 100);
  model.pass(110);
  model.frame('{"id":"x","is":1}', 1);
  model.fails(model.call('{"id":"x","n":3}'), "invalid_request", "no");
  model.frame('{"id":"x","is":2}', 2);
  const last = model.call('{"id":"x","n":4}');
  model.frame('{"id":"x","is":4}', 2);
  assert.equal(model.reply(last), '{"id":"x","is":4}');
  model.frame('{"id":"other"}', 1);
  assert.equal(model.reply(waits), '{"id":"other"}');
});

test("an id that only the old connection owes a reply may be used on the new one", () => {
  const model = new ExchangeModel(keep);
  model.connect();
  model.call('{"id":"x"}', "request", 100);
  model.succeed();
  model.pass(110);
  const again = model.call('{"id":"x"}');
  model.frame('{"id":"x","late":true}', 1);
  model.frame('{"id":"x"}', 2);
  assert.equal(model.reply(again), '{"id":"x"}');
});

test("a pong of the old connection proves what was sent on it, and the proof stays valid", () => {
  const model = new ExchangeModel(jsonRpc);
  model.connect();
  const proven = model.call(echo("a"), "request", 1_000);
  model.ping();
  model.pong();
  const confirmed = model.call(echo("b"), "confirm");
  model.succeed();
  const elsewhere = model.call(echo("c"), "confirm");
  assert.deepEqual(
    model.pings.map(({ connection }) => connection),
    [1, 2],
  );
  model.pong();
  assert.deepEqual([model.outcome(confirmed), model.open], [{ type: "done" }, [proven, elsewhere]]);
  model.pass(1_010);
  model.fails(proven, "reply_timeout", "yes");
});

test("a send that waits for a pong of the old connection causes no pings on the new one", () => {
  const model = new ExchangeModel(jsonRpc);
  model.connect();
  const confirmed = model.call(echo("a"), "confirm");
  const [old] = model.pings.splice(0);
  model.succeed();
  model.ping();
  model.pong();
  assert.deepEqual([model.open, model.pings.length], [[confirmed], 0]);
  if (old) model.pings.push(old);
  model.pong();
  assert.deepEqual([model.outcome(confirmed), model.pings.length], [{ type: "done" }, 0]);
});

test("a withdrawn request that waits is never sent and frees its place, while others are sent", () => {
  const model = new ExchangeModel(jsonRpc, { pace: { messages: 1, per: 1_000, queue: 10, ...exact }, in_flight: 4 });
  model.connect();
  model.subscribe(1, `[${echo("s")},${echo("s")}]`);
  const waits = model.call(echo("a"));
  model.exchange.withdraw("subscriptions");
  assert.deepEqual([model.exchange.inFlight, model.exchange.counters.abandoned], [2, 1]);
  model.succeed();
  model.pass(5_000);
  assert.deepEqual(
    model.taken.map(({ owner, seq, connection }) => [owner, seq, connection]),
    [
      ["subscriptions", 1, 1],
      ["caller", waits, 2],
    ],
  );
  model.frame(replyTo(model.taken[0]?.frame ?? ""), 1);
  assert.deepEqual(model.subscriptionOutcomes.size, 0, "the rest of a withdrawn batch settles nothing");
});
