/** Tests of the diagnosis of time-outs, and of errors that name no request. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonRpc, jsonRpcWith } from "../../../src/protocols/json-rpc.ts";
import { echo, replyTo } from "./echo.ts";
import { ExchangeModel } from "./exchange-model.ts";

function connected(protocol = jsonRpc): ExchangeModel {
  const model = new ExchangeModel(protocol);
  model.connect();
  return model;
}

test("a time-out reports the frames that answered nothing since the request was sent", () => {
  const model = connected();
  model.frame('{"jsonrpc":"2.0","method":"before"}');
  const seq = model.call(echo("a"), "request", 100);
  for (const n of [1, 2]) model.frame(`{"jsonrpc":"2.0","method":"tick","params":[${n}]}`);
  model.pass(200);
  const { failure } = model.fails(seq, "reply_timeout", "maybe");
  assert.deepEqual(failure.heard, { frames: 2, last: '{"jsonrpc":"2.0","method":"tick","params":[2]}' });
  assert.match(failure.detail, /no reply came within 100 ms; 2 frames came that answered nothing; the last: \{/);
  const quiet = model.call(echo("b"), "request", 100);
  model.pass(200);
  assert.equal(model.fails(quiet, "reply_timeout", "maybe").failure.heard, undefined);
});

test("a time-out says whether anything came since it was sent, what came before, and who else waits", () => {
  const model = connected();
  const answered = model.call(echo("a"));
  model.frame(replyTo(model.taken[0]?.frame ?? ""));
  assert.equal(model.reply(answered).length > 0, true);
  model.pass(500);
  const [first, second] = [model.call(echo("b"), "request", 100), model.call(echo("c"), "request", 700)];
  model.pass(200);
  const [quiet, others] = [/; no frame came since it was sent, the last 600 ms ago/, /; one other request waits, too$/];
  for (const text of [quiet, others]) assert.match(model.fails(first, "reply_timeout", "maybe").failure.detail, text);
  // A time-out pings, and only the pong comes.
  model.ping();
  model.pong();
  model.frame(replyTo(model.taken[1]?.frame ?? ""));
  model.pass(1_000);
  const { detail } = model.fails(second, "reply_timeout", "yes").failure;
  assert.match(detail, /; other frames came, the last 500 ms ago; the last pong came 500 ms ago$/);
});

test("a time-out on a connection that has never brought a frame says so", () => {
  const model = connected();
  const seq = model.call(echo("a"), "request", 100);
  model.pass(100);
  const { detail } = model.fails(seq, "reply_timeout", "maybe").failure;
  assert.match(detail, /; no frame came since it was sent, nor before on its connection, opened 100 ms ago$/);
});

test("a request that finds no place says how long ago the first of those in flight came", () => {
  const model = new ExchangeModel(jsonRpc, { in_flight: 2 });
  model.connect();
  model.call(echo("a"));
  model.pass(2_500);
  model.call(echo("b"), "stream");
  const refused = model.call(echo("c"));
  assert.equal(
    model.fails(refused, "too_many_in_flight", "no", 1_000).failure.detail,
    "2 requests are already in flight (limits.in_flight: 2); the first came 2.5 s ago, one of them streamed",
  );
});

test("a request that finds no connection says whether there ever was one", () => {
  const model = connected();
  const failure = { code: "upstream_down", detail: "it refused", cause: "http_403" } as const;
  for (const [readyUntil, attempts, said] of [
    [model.now, 1, "it was ready until 400 ms ago"],
    [undefined, 1, "it was never ready (one attempt since its thread started)"],
    [undefined, 7, "it was never ready (7 attempts since its thread started)"],
  ] as const) {
    model.availability({ type: "down", failure, until: model.now + 1_000, service: { readyUntil, attempts } });
    model.pass(400);
    const refused = model.fails(model.call(echo("a")), "upstream_down", "no", 600).failure;
    assert.deepEqual([refused.detail, refused.cause], [`it refused; ${said}`, "http_403"]);
  }
});

test("a lost request has a code of what ended its connection", () => {
  const model = connected();
  const seq = model.call(echo("a"));
  model.lose({ reason: "closed", code: 1011, text: "" });
  assert.equal(model.fails(seq, "connection_lost", "maybe").failure.cause, "1011");
});

test("a time-out says why the last frame could not be read, or is no reply", () => {
  for (const [frame, why] of [
    ["429 Too Many Requests", /expected the end, found "T"/],
    ['{"jsonrpc":"2.0","id":1,"result":NaN}', /expected a value, found "N"/],
    ['\ufeff{"jsonrpc":"2.0","id":1,"result":1}', /expected a value, found a byte order mark/],
    ['{"jsonrpc":"2.0","id":1,"result":1}\0', /expected the end, found .*(?:0000|control|NUL)/i],
    ['{"jsonrpc":"2.0","id":"1","result":1}', /its id is not a number as we sent it/],
  ] as const) {
    const model = connected();
    const seq = model.call(echo("a"), "request", 100);
    model.frame(frame);
    model.pass(200);
    assert.match(model.fails(seq, "reply_timeout", "maybe").failure.heard?.why ?? "", why, frame);
  }
});

test("the last frame is cut, and shown without secrets and control characters", () => {
  const model = connected();
  const seq = model.call(echo("a"), "request", 100);
  model.frame(`the secret\u001b[2J ${"x".repeat(100_000)}`);
  model.pass(200);
  const last = model.fails(seq, "reply_timeout", "maybe").failure.heard?.last ?? "";
  assert.match(last, /^the \*\*\*\ufffd\[2J x+…$/);
  assert.equal(last.length, 201);
});

const unnamed = [
  '{"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"rate limit exceeded"}}',
  '{"jsonrpc":"2.0","error":{"code":-32005,"message":"rate limit exceeded"}}',
];

test("an error that names no request fails the only one in flight at once, in the upstream's words", () => {
  for (const frame of unnamed) {
    const model = connected();
    const seq = model.call(echo("a", '"mine"'));
    model.frame(frame);
    const { failure, own, upstreamError } = model.fails(seq, "invalid_reply", "maybe");
    assert.equal(own, '"mine"');
    assert.equal(upstreamError, '{"code":-32005,"message":"rate limit exceeded"}');
    assert.match(failure.detail, /only this request is in flight: \{"code":-32005,"message":"rate limit exceeded"\}/);
    assert.equal(model.messages.length, 1);
    model.frame(replyTo(model.taken[0]?.frame ?? ""));
    assert.deepEqual([model.exchange.counters.late, model.messages.length], [1, 1]);
  }
});

test("an error that names no request is a message while several are in flight, and is heard by them", () => {
  const model = connected();
  const seqs = [model.call(echo("a"), "request", 100), model.call(echo("b"), "request", 100)];
  model.frame(unnamed[0] ?? "");
  assert.deepEqual(model.open, seqs);
  model.pass(200);
  for (const seq of seqs)
    assert.match(model.fails(seq, "reply_timeout", "maybe").failure.detail, /rate limit exceeded/);
});

test("the option errors decides instead: the oldest, all or none of several", () => {
  for (const [deed, failed] of [
    ["fail_oldest", [0]],
    ["fail_all", [0, 1]],
    ["message", []],
  ] as const) {
    const model = connected(jsonRpcWith({ errors: { when: { has: ["/error"] }, do: deed } }));
    const seqs = [model.call(echo("a")), model.call(echo("b"))];
    for (const frame of unnamed.slice(0, 1)) model.frame(frame);
    assert.deepEqual(
      seqs.flatMap((seq, at) => (model.outcomes.has(seq) ? [at] : [])),
      failed,
    );
    model.frame(replyTo(model.taken[1]?.frame ?? ""));
    assert.equal(model.outcomes.has(seqs[1] as number), true);
  }
});
