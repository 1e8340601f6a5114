/** Tests of our ids on the wire. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { jsonRpc } from "../../../src/protocols/json-rpc.ts";
import type { Protocol } from "../../../src/protocols/protocol.ts";
import { echo, replyTo } from "./echo.ts";
import { ExchangeModel } from "./exchange-model.ts";

/** A protocol with few ids, whose frames are `<id> <text>` in both directions. */
function tiny(maxId: number): Protocol {
  return {
    name: "tiny",
    correlation: "id",
    accepts: "any",
    maxId,
    encode: (message, id) => ({ frame: `${id} ${String(message)}`, expectsReply: true }),
    decode: (frame) => ({ type: "reply", id: Number.parseInt(String(frame), 10), render: () => frame }),
  };
}

function connected(): ExchangeModel {
  const model = new ExchangeModel(jsonRpc);
  model.connect();
  return model;
}

test("ids on the wire are never reused, on any connection", () => {
  const model = connected();
  for (let round = 0; round < 5; round++) {
    model.call(echo(round));
    model.call(echo(round), "request", 10);
    model.frame(replyTo(model.taken.at(-2)?.frame ?? ""));
    model.pass(100);
    model.connect();
  }
  const ids = model.taken.map(({ frame }) => JSON.parse(String(frame)).id);
  assert.equal(new Set(ids).size, 10);
});

test("a late reply is counted as late once and is not a message; its repetition is unclaimed and a message", () => {
  const model = connected();
  const seq = model.call(echo("one"), "request", 1_000);
  model.pass(1_010);
  model.fails(seq, "reply_timeout", "maybe");
  const answer = replyTo(model.taken[0]?.frame ?? "");
  model.frame(answer);
  assert.deepEqual([model.exchange.counters.late, model.messages], [1, []]);
  model.frame(answer);
  assert.deepEqual([model.exchange.counters.late, model.exchange.counters.unclaimed, model.messages], [1, 1, [answer]]);
});

test("ten thousand late replies are known as such, and the oldest is forgotten first", () => {
  const model = new ExchangeModel(jsonRpc, { in_flight: 20_000 });
  model.connect();
  for (let each = 0; each < 10_001; each++) model.call(echo(each), "request", 100);
  model.pass(200);
  const [forgotten, remembered] = model.taken.map(({ frame }) => replyTo(frame));
  model.frame(remembered ?? "");
  assert.deepEqual([model.exchange.counters.late, model.messages], [1, []]);
  model.frame(forgotten ?? "");
  assert.deepEqual([model.exchange.counters.late, model.messages], [1, [forgotten]]);
});

test("a reply that comes over its own connection after a newer one was opened is still late", () => {
  const model = connected();
  model.call(echo("a"), "request", 100);
  model.pass(200);
  model.connect();
  model.frame(replyTo(model.taken[0]?.frame ?? ""), 1);
  assert.deepEqual([model.exchange.counters.late, model.messages], [1, []]);
});

// Protocols whose ids are bounded.

test("bounded ids start over, and skip those in flight and those whose reply may still come", () => {
  const model = new ExchangeModel(tiny(6), { in_flight: 3 });
  model.connect();
  const stays = model.call("stays");
  const late = model.call("late", "request", 100);
  model.pass(200);
  model.fails(late, "reply_timeout", "maybe");
  for (let round = 0; round < 20; round++) {
    const seq = model.call(`round ${round}`);
    const frame = String(model.taken.at(-1)?.frame);
    assert.ok(!frame.startsWith("1 ") && !frame.startsWith("2 "), frame);
    model.frame(frame);
    assert.equal(model.reply(seq), frame);
  }
  model.frame("2 late");
  assert.equal(model.exchange.counters.late, 1);
  model.frame("1 stays");
  assert.equal(model.reply(stays), "1 stays");
});

test("a request without a free id is refused; drawing never hangs, and ids become free again", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 20 }), (maxId, in_flight) => {
      const model = new ExchangeModel(tiny(maxId), { in_flight });
      model.connect();
      for (let round = 0; round < 10; round++) {
        for (let each = 0; each < 10; each++) model.call("x", "request", 1_000);
        const ids = model.taken.slice(-model.exchange.inFlight).map(({ frame }) => Number.parseInt(String(frame), 10));
        assert.ok(ids.length >= 1 && new Set(ids).size === ids.length, ids.join(" "));
        assert.ok(ids.every((id) => id >= 1 && id <= maxId));
        model.pass(1_010);
      }
      for (const seq of model.outcomes.keys()) {
        const outcome = model.outcome(seq);
        assert.ok(outcome.type === "failed");
        assert.ok(["too_many_in_flight", "reply_timeout"].includes(outcome.failure.code));
      }
    }),
  );
});
