/** Tests of protocols with parts of replies, acknowledgements, errors without ids and requests of the upstream. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { nostr } from "../../../src/protocols/dialects/nostr.ts";
import { json } from "../../../src/protocols/json.ts";
import type { Body, Decoded, DecodedMessage } from "../../../src/protocols/protocol.ts";
import { text } from "../../../src/protocols/text.ts";
import { type AnsweringOptions, answeringJson } from "../../protocols/answering-json.ts";
import { ExchangeModel, exact } from "./exchange-model.ts";

const rows: AnsweringOptions = {
  skip: [{ has: ["/ack"] }],
  final: [{ has: ["/end"] }],
  collect: { frames: 3 },
  errors: { when: { has: ["/error"] }, do: "fail_oldest" },
  answers: [{ when: { has: ["/ask"] }, send: {}, copy: { "/answer": "/ask" } }],
};

function connected(
  options: AnsweringOptions,
  limits: ConstructorParameters<typeof ExchangeModel>[1] = {},
): ExchangeModel {
  const model = new ExchangeModel(answeringJson(options), limits);
  model.connect();
  return model;
}

const idAt = (model: ExchangeModel, at: number): number => JSON.parse(String(model.taken[at]?.frame)).id;

/** Sends a frame of the upstream about the request at this place of `taken`. */
function say(model: ExchangeModel, at: number, members: object, connection?: number): string {
  const frame = JSON.stringify({ id: idAt(model, at), ...members });
  const taken = model.taken[at];
  if (taken) taken.proven = true; // a frame about it proves that it arrived
  model.frame(frame, connection);
  return frame;
}

test("a frame with which the protocol ends our own request is written, and is no answer to the upstream", () => {
  const { protocol } = nostr.build({});
  assert.ok(typeof protocol !== "function");
  const model = new ExchangeModel(protocol);
  model.connect();
  const question = model.call('["REQ","q",{}]');
  for (const frame of ['["EVENT","q",{"id":"a"}]', '["EOSE","q"]']) model.frame(frame);
  assert.equal(model.reply(question), '[["EVENT","q",{"id":"a"}],["EOSE","q"]]');
  assert.deepEqual([model.ownFrames, model.exchange.counters.answered], [['["CLOSE","q"]'], 0]);
});

test("several messages in a frame are taken in order, each for what it is", () => {
  const decode = (frame: Body): Decoded => {
    const results = String(frame)
      .split(" ")
      .map((text): DecodedMessage => {
        const render = () => text;
        return text.startsWith("#")
          ? { type: "reply", id: Number(text.slice(1)), render }
          : { type: "message", render };
      });
    return { type: "several", results };
  };
  const model = new ExchangeModel({ ...json(), decode });
  model.connect();
  const [a, b] = [model.call("{}"), model.call("{}")];
  model.frame(`push #${idAt(model, 1)} #${idAt(model, 0)} #77 pull`);
  assert.deepEqual([model.reply(a), model.reply(b)], [`#${idAt(model, 0)}`, `#${idAt(model, 1)}`]);
  assert.deepEqual([model.messages, model.exchange.counters.unclaimed], [["push", "#77", "pull"], 1]);
});

test("a frame that could not be taken apart is noise, a message, and no reply", () => {
  const model = new ExchangeModel(text);
  model.connect();
  model.call("a");
  model.carryOut(model.exchange.onUnreadable("A", "it is broken", model.now));
  assert.deepEqual([model.messages, model.exchange.counters.noise, model.open.length], [["A"], 1, 1]);
});

test("several frames make one reply in their order, separately for each request", () => {
  const model = connected(rows);
  const [a, b] = [model.call('{"id":"a"}'), model.call('{"id":"a"}')];
  say(model, 1, { n: 1 });
  say(model, 0, { n: 2 });
  say(model, 1, { n: 3 });
  say(model, 1, { end: 1 });
  say(model, 0, { end: 2 });
  assert.equal(model.reply(a), '[{"id":"a","n":2},{"id":"a","end":2}]');
  assert.equal(model.reply(b), '[{"id":"a","n":1},{"id":"a","n":3},{"id":"a","end":1}]');
  assert.deepEqual([model.messages, model.exchange.counters.replies], [[], 2]);
});

test("a reply of too many frames fails its request, and the frames that still come are late", () => {
  const model = connected(rows);
  const seq = model.call("{}");
  for (let n = 0; n < 5; n++) say(model, 0, { n });
  assert.match(model.fails(seq, "invalid_reply", "yes").failure.detail, /more than 3 frames/);
  say(model, 0, { end: 1 });
  const { late, unclaimed } = model.exchange.counters;
  assert.deepEqual([late, unclaimed, model.messages, model.exchange.inFlight], [2, 0, [], 0]);
});

test("a reply of too many bytes fails its request", () => {
  const model = connected(rows, { reply_bytes: 100 });
  const seq = model.call("{}");
  say(model, 0, { n: "x".repeat(60) });
  say(model, 0, { n: "x".repeat(60) });
  assert.match(model.fails(seq, "invalid_reply", "yes").failure.detail, /limits\.reply_bytes \(100 bytes\)/);
});

test("the frames kept for all requests together are bounded, and a request that ends makes room", () => {
  const model = connected(rows, { reply_bytes: 100 });
  const all = Array.from({ length: 6 }, () => model.call("{}"));
  for (let at = 0; at < 4; at++) say(model, at, { n: "x".repeat(80) });
  say(model, 4, { n: "x".repeat(80) });
  assert.match(model.fails(all[4] ?? 0, "invalid_reply", "yes").failure.detail, /4 times limits\.reply_bytes/);
  say(model, 0, { end: 1 });
  model.abandon(all[1] ?? 0);
  say(model, 5, { n: "x".repeat(80) });
  say(model, 5, { end: 1 });
  assert.match(model.reply(all[5] ?? 0), /xxx/);
});

test("a request whose first frames came and whose last one did not fails as received", () => {
  const model = connected(rows);
  const seq = model.call("{}", "request", 1_000);
  say(model, 0, { n: 1 });
  model.pass(1_010);
  model.fails(seq, "reply_timeout", "yes");
  const other = model.call("{}");
  say(model, 1, { n: 1 });
  model.lose();
  model.fails(other, "connection_lost", "yes");
});

test("a part that comes over another connection does not belong to the reply", () => {
  const model = connected(rows);
  model.call("{}");
  model.connect();
  const seq = model.call("{}");
  const forged = JSON.stringify({ id: idAt(model, 1), n: "forged" });
  model.frame(forged, 1);
  say(model, 1, { end: 1 });
  assert.equal(model.reply(seq), '[{"end":1}]');
  assert.deepEqual(model.messages, [forged]);
});

test("an acknowledgement is a message and proves the delivery of its request without ending it", () => {
  const model = connected(rows);
  const seq = model.call("{}", "request", 1_000);
  const ack = say(model, 0, { ack: 1 });
  assert.deepEqual([model.messages, model.open], [[ack], [seq]]);
  model.pass(1_010);
  model.fails(seq, "reply_timeout", "yes");
  const again = say(model, 0, { ack: 2 });
  assert.deepEqual(model.messages, [ack, again]);
  say(model, 0, { end: 1 });
  assert.equal(model.exchange.counters.late, 1);
});

test("an error without an id fails the oldest request of its connection, and is a message", () => {
  const model = connected(rows);
  const [first, second] = [model.call('{"id":1}'), model.call('{"id":2}')];
  model.frame('{"error":"bad"}');
  const failed = model.fails(first, "invalid_reply", "maybe");
  assert.equal(failed.own, "1");
  assert.deepEqual([model.open, model.messages], [[second], ['{"error":"bad"}']]);
  say(model, 0, { end: 1 }); // the error was not about this request: its reply is late
  assert.equal(model.exchange.counters.late, 1);
  say(model, 1, { end: 1 });
  model.reply(second);
  model.frame('{"error":"no request is in flight"}');
  assert.equal(model.messages.length, 2);
});

test("an error without an id fails all requests of its connection if the protocol says so, and no others", () => {
  const model = connected({ ...rows, errors: { when: { has: ["/error"] }, do: "fail_all" } });
  const both = [model.call("{}"), model.call("{}")];
  model.frame('{"error":1}', 99);
  assert.deepEqual(model.open, both);
  model.frame('{"error":1}');
  for (const seq of both) model.fails(seq, "invalid_reply", "maybe");
});

test("a request of the upstream's gets its reply by rule, over its own connection, and is not a message", () => {
  const model = connected(rows);
  model.frame('{"ask":"who"}');
  assert.deepEqual([model.ownFrames, model.messages], [['{"answer":"who"}'], []]);
  assert.equal(model.exchange.counters.answered, 1);
});

test("an upstream that sends requests and does not read the replies gets a new connection", () => {
  const model = connected(rows, { buffered_bytes: 1_000 });
  model.buffered = 990;
  model.frame('{"ask":"who"}');
  assert.deepEqual([model.ownFrames, model.renewals], [[], 1]);
});

test("a message that the rate limit holds during such a renewal goes out on the next connection and ends once", () => {
  const model = connected(rows, { buffered_bytes: 1_000, pace: { messages: 1, per: 100, queue: 10, ...exact } });
  const first = model.call("{}");
  const second = model.call("{}");
  model.now += 100;
  model.buffered = 990;
  model.frame('{"ask":"who"}');
  model.fails(first, "connection_lost", "maybe");
  model.buffered = 0;
  model.succeed();
  model.pass(200);
  assert.deepEqual(
    model.taken.map(({ seq, connection }) => [seq, connection]),
    [
      [first, 1],
      [second, 2],
    ],
  );
});

test("an older connection that does not read its replies does not cost the newest one", () => {
  const model = connected(rows, { buffered_bytes: 1_000 });
  model.succeed();
  model.buffered = 990;
  model.frame('{"ask":"who"}', 1);
  assert.deepEqual([model.ownFrames, model.renewals], [[], 0]);
});

// Increasing ids, and callers' own.

test("increasing ids increase in the order of sending, whatever waited, timed out or was refused before", () => {
  const calls = fc.array(fc.constantFrom("call", "short", "send", "connect", "lose", "pass", "bad"), { maxLength: 60 });
  fc.assert(
    fc.property(calls, (moves) => {
      const model = new ExchangeModel(json({ id: { kind: "increasing" } }), { in_flight: 10 });
      for (const go of moves) {
        if (go === "call") model.call('{"id":"mine"}');
        if (go === "short") model.call("{}", "request", 50);
        if (go === "send") model.call('{"id":"unread"}', "send");
        if (go === "bad") model.call("[]");
        if (go === "connect") model.connect();
        if (go === "lose") model.lose();
        if (go === "pass") model.pass(100);
      }
      const ids = model.taken.map((_, at) => idAt(model, at));
      assert.deepEqual(
        ids,
        Array.from(ids, (_, at) => at + 1),
        "each one more than the one before",
      );
    }),
  );
});

test("an increasing id is drawn when its message is sent, and its reply finds the request", () => {
  const model = new ExchangeModel(json({ id: { kind: "increasing" } }));
  const dropped = model.call("{}");
  const seq = model.call('{"id":"mine"}');
  model.abandon(dropped);
  model.connect();
  assert.equal(idAt(model, 0), 1);
  say(model, 0, { ok: 1 });
  assert.equal(model.reply(seq), '{"id":"mine","ok":1}');
  assert.deepEqual([model.exchange.inFlight, model.exchange.nextDeadline], [0, undefined]);
});

test("a message that its protocol accepts on arrival and refuses when it is sent fails alone", () => {
  const increasing = json({ id: { kind: "increasing" } });
  const moody = {
    ...increasing,
    encode: (...given: Parameters<typeof increasing.encode>) =>
      increasing.encode(given[1] === 1 ? "" : given[0], given[1], given[2]),
  };
  const model = new ExchangeModel(moody);
  const [first, second] = [model.call("{}"), model.call("{}")];
  model.connect();
  model.fails(first, "invalid_request", "no");
  say(model, 0, {});
  model.reply(second);
  assert.equal(model.exchange.inFlight, 0);
});

test("a caller's own id is refused while a request with it is in flight, and free after its reply", () => {
  const model = connected({ id: { kind: "keep" } });
  const first = model.call('{"id":"x","n":1}');
  const failed = model.fails(model.call('{"id":"\\u0078","n":2}'), "invalid_request", "no");
  assert.match(failed.failure.detail, /id is in flight/);
  const other = model.call('{"id":"y"}');
  say(model, 0, { r: 1 });
  assert.equal(model.reply(first), '{"id":"x","r":1}');
  const again = model.call('{"id":"x","n":3}');
  say(model, 2, { r: 3 });
  assert.equal(model.reply(again), '{"id":"x","r":3}');
  assert.deepEqual([model.open, model.taken.length], [[other], 3]);
});

test("a caller's own id stays refused until its late reply has come or the connection is gone", () => {
  const model = connected({ id: { kind: "keep" } });
  const refused = () => model.fails(model.call('{"id":1}'), "invalid_request", "no");
  const timesOut = () => {
    const seq = model.call('{"id":1}', "request", 100);
    model.pass(200);
    model.fails(seq, "reply_timeout", "maybe");
  };
  timesOut();
  refused();
  model.frame('{"id":1,"late":true}');
  assert.equal(model.exchange.counters.late, 1);
  timesOut();
  refused();
  model.connect();
  const seq = model.call('{"id":1}');
  model.frame('{"id":1,"of":"the old connection"}', 1);
  assert.deepEqual(model.open, [seq]);
  model.frame('{"id":1,"ok":true}');
  assert.equal(model.reply(seq), '{"id":1,"ok":true}');
});

test("a send may carry the id of a request in flight, to say something about it", () => {
  const model = connected({ id: { kind: "keep" } });
  const seq = model.call('{"id":"x"}');
  assert.deepEqual(model.outcome(model.call('{"id":"x","cancel":true}', "send")), { type: "done" });
  model.frame('{"id":"x","cancelled":true}');
  assert.equal(model.reply(seq), '{"id":"x","cancelled":true}');
  assert.equal(model.exchange.inFlight, 0);
});
