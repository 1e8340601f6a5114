/** Tests of frames that the configuration sends: greetings, heartbeats and answers, under ids of ours. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConfiguredBy } from "../../../src/core/connection/frame-origin.ts";
import { withAnswers } from "../../../src/protocols/answers.ts";
import type { IdKind } from "../../../src/protocols/id-kinds.ts";
import { json } from "../../../src/protocols/json.ts";
import { jsonRpc } from "../../../src/protocols/json-rpc.ts";
import type { Body } from "../../../src/protocols/protocol.ts";
import { text } from "../../../src/protocols/text.ts";
import { answeringJson } from "../../protocols/answering-json.ts";
import { echo, replyTo } from "./echo.ts";
import { ExchangeModel } from "./exchange-model.ts";

const BEAT = '{"jsonrpc":"2.0","id":1,"method":"beat","params":"beat"}';

function connected(protocol = jsonRpc): ExchangeModel {
  const model = new ExchangeModel(protocol);
  model.connect();
  return model;
}

function adopt(model: ExchangeModel, frame: string, by: ConfiguredBy = "heartbeat"): string {
  return String(model.exchange.adopt(model.connection, frame, by));
}

const idOf = (frame: Body | undefined): unknown => JSON.parse(String(frame)).id;

for (const kind of ["int", "int32", "string", "increasing", "keep"] as const satisfies readonly IdKind[]) {
  for (const by of ["greeting", "heartbeat", "answer"] as const) {
    test(`${kind}: the reply to a frame of the ${by} reaches no caller, and no caller's reply is taken for it`, () => {
      const model = connected(json({ id: { kind } }));
      const before = model.call('{"id":"before","params":"before"}');
      const wire = adopt(model, '{"id":1,"params":"configured"}', by);
      const after = model.call('{"id":"after","params":"after"}');
      const [first, second] = model.taken.map(({ frame }) => frame);
      assert.equal(new Set([first, wire, second].map(idOf)).size, 3);
      if (kind === "increasing") assert.ok(Number(idOf(first)) < Number(idOf(wire)));
      if (kind === "increasing") assert.ok(Number(idOf(wire)) < Number(idOf(second)));
      const origin = model.exchange.originOf(1, replyTo(wire));
      const body = '{"jsonrpc":"2.0","id":1,"result":"configured"}';
      assert.ok(origin?.type === "configured", JSON.stringify(origin));
      assert.deepEqual([origin.by, origin.body, origin.isReply], [by, body, true]);
      assert.deepEqual(model.exchange.originOf(1, replyTo(first ?? "")), { type: "request" });
      for (const frame of [second, wire, first]) model.frame(replyTo(frame ?? ""));
      assert.equal(JSON.parse(model.reply(before)).result, "before");
      assert.equal(JSON.parse(model.reply(after)).result, "after");
      assert.deepEqual([model.exchange.counters.late, model.messages], [1, []]);
    });
  }
}

test("an answer with an id of its own is sent under one of ours, and its reply is dropped", () => {
  const answers = [{ when: { match: { "/type": "ask" } }, send: { id: 1, params: "told" } }];
  const model = connected(answeringJson({ answers }));
  const seq = model.call('{"params":"mine"}');
  model.frame('{"type":"ask"}');
  const [answer] = model.ownFrames;
  assert.notEqual(idOf(answer), idOf(model.taken[0]?.frame));
  model.frame(replyTo(answer ?? ""));
  model.frame(replyTo(model.taken[0]?.frame ?? ""));
  assert.equal(JSON.parse(model.reply(seq)).result, "mine");
  assert.deepEqual([model.exchange.counters.late, model.messages], [1, []]);
});

test("a frame that a rule answers is known as such, whether or not the protocol has ids", () => {
  const rules = [{ when: { match: { "/type": "ask" } }, send: { type: "told" } }];
  for (const protocol of [json(), jsonRpc, text]) {
    const model = connected(withAnswers(protocol, rules));
    assert.deepEqual(model.exchange.originOf(1, '{"id":1,"type":"ask"}'), { type: "answered" });
    assert.equal(model.exchange.originOf(1, '{"type":"other"}'), undefined);
    assert.deepEqual(model.ownFrames, [], "it only looks");
  }
});

test("a reply that met its condition is not late; its repetition answers nothing", () => {
  const model = connected();
  const reply = replyTo(adopt(model, BEAT));
  model.exchange.onConfiguredReply(1, idOf(reply) as number);
  assert.equal(model.exchange.originOf(1, reply), undefined);
  model.frame(reply);
  assert.deepEqual([model.exchange.counters.late, model.exchange.counters.unclaimed], [0, 1]);
});

test("frames that follow the reply to a greeting are messages with the id that the greeting wrote", () => {
  const model = connected(json());
  const wire = adopt(model, '{"id":"feed","params":"on"}', "greeting");
  model.frame(replyTo(wire));
  model.frame(`{"id":${idOf(wire)},"tick":1}`);
  model.frame(`{"id":${idOf(wire)},"tick":2}`);
  assert.deepEqual(model.messages, ['{"id":"feed","tick":1}', '{"id":"feed","tick":2}']);
});

test("frames that precede the reply to a greeting are messages with the id that the greeting wrote", () => {
  const final = [{ match: { "/type": "done" } }];
  for (const protocol of [json({ final }), json({ final, collect: {} })]) {
    const model = connected(protocol);
    const id = idOf(adopt(model, '{"id":"feed"}', "greeting"));
    model.frame(`{"id":${id},"tick":1}`);
    model.frame(`{"id":${id},"type":"done"}`);
    assert.deepEqual([model.messages, model.exchange.counters.late], [['{"id":"feed","tick":1}'], 1]);
  }
});

test("a frame of the configuration without an id goes out as it is and takes no id", () => {
  const model = connected();
  assert.equal(adopt(model, '{"op":"ping"}'), '{"op":"ping"}');
  model.call(echo("one"));
  assert.equal(idOf(model.taken[0]?.frame), 1);
});

test("a reply to a greeting counts only on the greeting's connection", () => {
  const model = connected();
  const seq = model.call(echo("one"));
  const wire = String(model.exchange.adopt(2, BEAT, "greeting"));
  assert.equal(model.exchange.originOf(1, replyTo(wire)), undefined);
  assert.equal(model.exchange.originOf(2, replyTo(model.taken[0]?.frame ?? "")), undefined);
  assert.equal(model.exchange.originOf(2, replyTo(wire))?.type, "configured");
  model.frame(replyTo(model.taken[0]?.frame ?? ""));
  assert.equal(JSON.parse(model.reply(seq)).result, "one");
});

test("a late reply to a request is known to be one, so that it meets no condition", () => {
  const model = connected();
  model.call(echo("slow"), "request", 100);
  model.pass(200);
  assert.deepEqual(model.exchange.originOf(1, replyTo(model.taken[0]?.frame ?? "")), { type: "request" });
});

test("a lost connection forgets its frames of the configuration", () => {
  const model = connected();
  const reply = replyTo(adopt(model, BEAT, "greeting"));
  model.connect();
  assert.equal(model.exchange.originOf(1, reply), undefined);
});

test("heartbeats that are never answered are forgotten from the oldest on, and greetings are not", () => {
  const model = connected();
  const greeting = replyTo(adopt(model, BEAT, "greeting"));
  const [oldest, second] = Array.from({ length: 1_001 }, () => replyTo(adopt(model, BEAT)));
  const known = (frame: string | undefined) => model.exchange.originOf(1, frame ?? "")?.type;
  assert.deepEqual([known(greeting), known(oldest), known(second)], ["configured", undefined, "configured"]);
});

test("bounded ids start over without those of the configuration", () => {
  const bounded = { ...jsonRpc, maxId: 5 };
  const model = new ExchangeModel(bounded, { in_flight: 1 });
  model.connect();
  const greeting = idOf(adopt(model, BEAT, "greeting"));
  for (let round = 0; round < 10; round++) {
    model.call(echo(round));
    const frame = model.taken.at(-1)?.frame ?? "";
    assert.notEqual(idOf(frame), greeting);
    model.frame(replyTo(frame));
  }
});

test("an id of the greeting or heartbeat is refused to callers, where callers' ids are on the wire", () => {
  const model = new ExchangeModel(json({ id: { kind: "keep" } }), {}, ['{"id":"beat"}', '{"type":"hello"}', "PING"]);
  model.connect();
  const taken = model.call('{"id":"be\\u0061t"}');
  assert.match(model.fails(taken, "invalid_request", "no").failure.detail, /greeting or heartbeat/);
  assert.equal(model.taken.length, 0);
  model.call('{"id":"other"}');
  assert.equal(model.taken.length, 1);
});

test("frames without ids have no origin, whatever the protocol decodes", () => {
  const model = connected(text);
  model.call("get");
  assert.equal(model.exchange.originOf(1, "got"), undefined);
  assert.equal(adopt(model, "PING"), "PING");
});
