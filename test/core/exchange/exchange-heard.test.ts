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
