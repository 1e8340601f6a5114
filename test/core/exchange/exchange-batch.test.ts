/** Tests of batches: one frame for each item, one outcome for all. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { jsonRpc } from "../../../src/protocols/json-rpc.ts";
import { echo, replyTo } from "./echo.ts";
import { ExchangeModel } from "./exchange-model.ts";

/** Places enough for a batch of twenty, which leaves as many free as it takes. */
function connected(): ExchangeModel {
  const model = new ExchangeModel(jsonRpc, { in_flight: 41 });
  model.connect();
  return model;
}

/** The outcome of each item: the text of its reply, or the code, `sent` and caller's own id of its failure. */
function items(model: ExchangeModel, seq: number): string[] {
  const outcome = model.outcome(seq);
  assert.ok(outcome.type === "batch", JSON.stringify(outcome));
  return outcome.items.map((item) =>
    item.type === "reply" ? String(item.body) : `${item.failure.code} ${item.failure.sent} ${item.own ?? "-"}`,
  );
}

test("a batch is sent as one frame for each item and comes back in the caller's order", () => {
  const model = connected();
  const seq = model.call(`[${echo("a", "1")}, ${echo("b", "2")}, ${echo("c", "3")}]`, "rpc");
  assert.equal(model.taken.length, 3);
  for (const { frame } of model.taken.toReversed()) model.frame(replyTo(frame));
  assert.deepEqual(items(model, seq), [
    '{"jsonrpc":"2.0","id":1,"result":"a"}',
    '{"jsonrpc":"2.0","id":2,"result":"b"}',
    '{"jsonrpc":"2.0","id":3,"result":"c"}',
  ]);
});

test("a batch of one item comes back as a batch", () => {
  const model = connected();
  const seq = model.call(`[${echo("a", "1")}]`, "rpc");
  model.frame(replyTo(model.taken[0]?.frame ?? ""));
  assert.deepEqual(items(model, seq), ['{"jsonrpc":"2.0","id":1,"result":"a"}']);
});

test("notifications of a batch are sent and have no place in its outcome", () => {
  const model = connected();
  const seq = model.call(`[${echo("quiet")},${echo("a", "1")},${echo("quiet")}]`, "rpc");
  assert.equal(model.taken.length, 3);
  model.frame(replyTo(model.taken[1]?.frame ?? ""));
  assert.deepEqual(items(model, seq), ['{"jsonrpc":"2.0","id":1,"result":"a"}']);
});

test("a batch of only notifications is done", () => {
  const model = connected();
  const seq = model.call(`[${echo("quiet")},${echo("quiet")}]`, "rpc");
  assert.deepEqual(model.outcome(seq), { type: "done" });
});

test("an item without an id is a request on /request and gets its reply", () => {
  const model = connected();
  const seq = model.call(`[${echo("a")}]`, "request");
  model.frame(replyTo(model.taken[0]?.frame ?? ""));
  assert.deepEqual(items(model, seq), ['{"jsonrpc":"2.0","result":"a"}']);
});

test("an empty batch is refused", () => {
  const model = connected();
  model.fails(model.call("[]", "rpc"), "invalid_request", "no");
});

test("a batch of more items than the limit is refused as a whole", () => {
  const model = new ExchangeModel(jsonRpc, { batch_items: 2 });
  model.connect();
  model.fails(model.call(`[${echo("a", "1")},${echo("b", "2")},${echo("c", "3")}]`, "rpc"), "invalid_request", "no");
  assert.equal(model.taken.length, 0);
  model.call(`[${echo("a", "1")},${echo("b", "2")}]`, "rpc");
  assert.equal(model.taken.length, 2);
});

test("an invalid item fails alone, with the caller's own id", () => {
  const model = connected();
  const seq = model.call(`[${echo("a", "1")}, 7, {"jsonrpc":"2.0","id":"x"}]`, "rpc");
  assert.equal(model.taken.length, 1);
  model.frame(replyTo(model.taken[0]?.frame ?? ""));
  assert.deepEqual(items(model, seq), [
    '{"jsonrpc":"2.0","id":1,"result":"a"}',
    "invalid_request no -",
    'invalid_request no "x"',
  ]);
});

test("each item fails with the `sent` of its own message", () => {
  const model = connected();
  const seq = model.call(`[${echo("a", "1")},${echo("b", '"two"')}]`, "rpc", 1_000);
  model.frame(replyTo(model.taken[0]?.frame ?? ""));
  model.pass(1_010);
  assert.deepEqual(items(model, seq), ['{"jsonrpc":"2.0","id":1,"result":"a"}', 'reply_timeout maybe "two"']);
});

test("a batch that is refused fails item by item", () => {
  const model = new ExchangeModel(jsonRpc);
  model.down("login_refused");
  const seq = model.call(`[${echo("a", "1")},${echo("b", "1")}]`, "rpc");
  assert.deepEqual(items(model, seq), ["login_refused no 1", "login_refused no 1"]);
  assert.equal(model.exchange.inFlight, 0);
});

test("a batch that loses its connection keeps the replies that came", () => {
  const model = connected();
  const seq = model.call(`[${echo("a", "1")},${echo("b", "2")}]`, "rpc");
  model.frame(replyTo(model.taken[1]?.frame ?? ""));
  model.lose();
  assert.deepEqual(items(model, seq), ["connection_lost maybe 1", '{"jsonrpc":"2.0","id":2,"result":"b"}']);
});

test("an abandoned batch frees all its places, and its remaining replies are late", () => {
  const model = connected();
  const seq = model.call(`[${echo("a", "1")},${echo("b", "2")},${echo("c", "3")}]`, "rpc");
  model.frame(replyTo(model.taken[0]?.frame ?? ""));
  model.abandon(seq);
  assert.deepEqual([model.exchange.inFlight, model.exchange.nextDeadline], [0, undefined]);
  for (const { frame } of model.taken.slice(1)) model.frame(replyTo(frame));
  assert.deepEqual([model.exchange.counters.late, model.exchange.counters.abandoned], [2, 2]);
});

test("a batch of any items with any fate comes back whole, in order and without its notifications", () => {
  const item = fc.constantFrom("request", "quiet", "wrong");
  const fate = fc.constantFrom("replied", "silent", "unusable");
  const batch = fc.array(fc.tuple(item, fate), { minLength: 1, maxLength: 20, size: "max" });
  fc.assert(
    fc.property(batch, fc.array(fc.nat(), { minLength: 20, maxLength: 20 }), fc.boolean(), (all, order, lost) => {
      const model = connected();
      const body = all.map(([kind], at) =>
        kind === "wrong" ? "7" : echo(at, kind === "request" ? '"same"' : undefined),
      );
      const seq = model.call(`[${body.join(",")}]`, "rpc", 1_000);
      const requests = model.taken.filter(({ expectsReply }) => expectsReply);
      const shuffled = requests.toSorted((a, b) => (order[a.index] ?? 0) - (order[b.index] ?? 0));
      for (const { index, frame } of shuffled) {
        const fate = all[index]?.[1];
        if (fate === "replied") model.frame(replyTo(frame));
        if (fate === "unusable") model.frame(`{"id":${JSON.parse(String(frame)).id}}`);
      }
      if (lost) model.lose();
      model.pass(1_010);

      const silent = lost ? "connection_lost" : "reply_timeout";
      const wanted = all.flatMap(([kind, fate], at) => {
        if (kind === "quiet") return [];
        if (kind === "wrong") return ["invalid_request no -"];
        if (fate === "replied") return [`{"jsonrpc":"2.0","id":"same","result":${at}}`];
        return [fate === "unusable" ? 'invalid_reply yes "same"' : `${silent} maybe "same"`];
      });
      if (wanted.length === 0) assert.deepEqual(model.outcome(seq), { type: "done" });
      else assert.deepEqual(items(model, seq), wanted);
      assert.deepEqual([model.exchange.inFlight, model.exchange.nextDeadline], [0, undefined]);
    }),
    { numRuns: 300 },
  );
});
