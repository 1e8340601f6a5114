/** Tests of messages that nothing answers, in protocols whose replies come by order. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonByOrder } from "../../../src/protocols/json-by-order.ts";
import { withSends } from "../../../src/protocols/sends.ts";
import { ExchangeModel } from "./exchange-model.ts";

const options = { final: [{ has: ["/end"] }], collect: {} };
const sends = [{ has: ["/audio"] }];

function connected(unprompted: boolean): ExchangeModel {
  const model = new ExchangeModel(withSends(jsonByOrder(options, "lane", { unprompted }), sends));
  model.connect();
  return model;
}

const frames = (model: ExchangeModel) => model.taken.map(({ frame }) => frame);

test("a message that nothing answers overtakes requests that wait for a reply, and no request waits for it", () => {
  const model = connected(false);
  const first = model.call('{"ask":1}');
  const second = model.call('{"ask":2}');
  model.call('{"audio":"a"}', "send");
  model.call('{"other":"b"}', "send");
  assert.deepEqual(frames(model), ['{"ask":1}', '{"audio":"a"}']);
  model.frame('{"end":1}');
  assert.deepEqual(frames(model).slice(2), ['{"ask":2}'], "the other message waits for its turn");
  model.frame('{"end":2}');
  assert.deepEqual([model.reply(first), model.reply(second)], ['[{"end":1}]', '[{"end":2}]']);
  assert.deepEqual(frames(model).slice(3), ['{"other":"b"}']);
  const third = model.call('{"ask":3}');
  assert.equal(frames(model).length, 4, "a message that may be answered holds the next request back");
  model.pass(5_000);
  model.frame('{"end":3}');
  assert.equal(model.reply(third), '[{"end":3}]');
});

test("a message that nothing answers is done once it is written, whatever its route", () => {
  const model = connected(false);
  const asked = model.call('{"audio":"a"}');
  assert.equal(model.outcome(asked).type, "done");
});

test("frames of a reply that nobody waits for are messages, and only its end costs the next request a connection", () => {
  const model = connected(false);
  const first = model.call('{"ask":1}');
  model.frame('{"end":1}');
  assert.equal(model.reply(first), '[{"end":1}]');
  model.frame('{"part":1}');
  assert.deepEqual([model.messages, model.exchange.counters.unclaimed], [['{"part":1}'], 0]);
  model.frame('{"end":0}');
  assert.deepEqual([model.messages.length, model.exchange.counters.unclaimed], [2, 1]);
  model.call('{"ask":2}');
  assert.equal(model.renewals, 1);
});

test("where replies also come unprompted, they are messages and renew nothing", () => {
  const model = connected(true);
  const first = model.call('{"ask":1}');
  for (const frame of ['{"part":1}', '{"end":1}', '{"part":0}', '{"end":0}']) model.frame(frame);
  const second = model.call('{"ask":2}');
  model.frame('{"end":2}');
  assert.deepEqual([model.reply(first), model.reply(second)], ['[{"part":1},{"end":1}]', '[{"end":2}]']);
  assert.deepEqual([model.messages, model.renewals], [['{"part":0}', '{"end":0}'], 0]);
});

test("a reply that comes after its caller has left answers nobody else", () => {
  for (const unprompted of [true, false]) {
    const model = connected(unprompted);
    const left = model.call('{"ask":1}');
    model.abandon(left);
    const next = model.call('{"ask":2}');
    for (const frame of ['{"part":1}', '{"end":1}']) model.frame(frame);
    assert.deepEqual(frames(model), ['{"ask":1}', '{"ask":2}']);
    model.frame('{"end":2}');
    assert.equal(model.reply(next), '[{"end":2}]');
    assert.deepEqual(model.messages, []);
  }
});

test("a part that an older connection still brings is not of the reply that is due on the newest", () => {
  const model = connected(true);
  model.succeed();
  const seq = model.call('{"ask":1}');
  model.frame('{"part":0}', 1);
  model.frame('{"end":1}');
  assert.deepEqual([model.reply(seq), model.messages], ['[{"end":1}]', ['{"part":0}']]);
});
