/** Tests of streams: begun in time, then without a deadline, and bounded by what their reader takes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { weightOf } from "../../../src/core/outcome.ts";
import { json } from "../../../src/protocols/json.ts";
import { jsonByOrder } from "../../../src/protocols/json-by-order.ts";
import { textOf } from "../../../src/protocols/json-message.ts";
import { knowing, LARGE_TEXT, outlineInSteps } from "../../../src/protocols/outline.ts";
import type { Protocol } from "../../../src/protocols/protocol.ts";
import { ExchangeModel } from "./exchange-model.ts";

const rows: Protocol = {
  ...json({ final: [{ has: ["/end"] }], collect: { frames: 3 } }),
  cancel: (id) => `{"cancel":${id}}`,
};

function connected(limits: ConstructorParameters<typeof ExchangeModel>[1] = {}): ExchangeModel {
  const model = new ExchangeModel(rows, limits);
  model.connect();
  return model;
}

const idAt = (model: ExchangeModel, at: number): number => JSON.parse(String(model.taken[at]?.frame)).id;

function say(model: ExchangeModel, at: number, members: object): void {
  const taken = model.taken[at];
  if (taken) taken.proven = true; // a frame about it proves that it arrived
  model.frame(JSON.stringify({ id: idAt(model, at), ...members }));
}

const cancelled = (model: ExchangeModel, at: number): string => `{"cancel":${idAt(model, at)}}`;

test("a stream passes each frame on as it comes, with the caller's id, and ends with the last one", () => {
  const model = connected();
  const seq = model.call('{"id":"mine"}', "stream");
  for (let n = 1; n <= 5; n++) say(model, 0, { n });
  assert.deepEqual(
    model.parts,
    [1, 2, 3, 4, 5].map((n) => `{"id":"mine","n":${n}}`),
  );
  say(model, 0, { end: 1 });
  assert.equal(model.reply(seq), '{"id":"mine","end":1}');
  assert.deepEqual([model.ownFrames, model.exchange.inFlight], [[], 0]);
});

test("the deadline of a stream is for its first frame; one that did not begin is cancelled and never late", () => {
  const model = connected();
  const begun = model.call("{}", "stream", 1_000);
  const silent = model.call("{}", "stream", 1_000);
  say(model, 0, { n: 1 });
  model.pong();
  model.pass(50_000);
  assert.deepEqual(model.open, [begun]);
  const { failure } = model.outcome(silent) as { failure: { code: string } };
  assert.equal(failure.code, "reply_timeout");
  assert.deepEqual(model.ownFrames, [cancelled(model, 1)]);
  say(model, 1, { n: 1 });
  say(model, 1, { end: 1 });
  assert.deepEqual([model.lates.size, model.messages, model.exchange.counters.late], [0, [], 2]);
});

test("a stream whose frames keep coming has no end; one that stalls fails and is cancelled", () => {
  const model = connected({ reply_pause: 1_000 });
  const seqs = [model.call("{}", "stream"), model.call("{}", "stream")] as const;
  say(model, 1, { n: 1 });
  for (let n = 1; n <= 100; n++) {
    say(model, 0, { n });
    model.pass(900);
    model.exchange.taken(seqs[0], 1_000_000);
  }
  assert.deepEqual(model.open, [seqs[0]]);
  const { failure } = model.fails(seqs[1], "reply_timeout", "yes");
  assert.match(failure.detail, /one frame came, and then none for 1000 ms/);
  assert.deepEqual([model.ownFrames, model.exchange.inFlight], [[cancelled(model, 1)], 1]);
  model.pass(110);
  model.fails(seqs[0], "reply_timeout", "yes");
  assert.deepEqual([model.ownFrames.length, model.exchange.nextDeadline], [2, undefined]);
});

test("a gathered reply that stalls fails before its deadline, for good", () => {
  const model = connected({ reply_pause: 1_000 });
  const seq = model.call("{}", "request", 120_000);
  model.pass(5_000);
  say(model, 0, { n: 1 });
  model.pass(1_010);
  const { failure } = model.fails(seq, "reply_timeout", "yes");
  assert.equal(failure.final, true);
  assert.deepEqual([model.ownFrames, model.exchange.inFlight], [[cancelled(model, 0)], 0]);
  say(model, 0, { end: 1 });
  assert.equal(model.lates.size, 0);
});

test("a stream that subscribes may pause for any time", () => {
  const subscribing: Protocol = { ...rows, encode: (...all) => ({ ...rows.encode(...all), subscribes: true }) };
  const model = new ExchangeModel(subscribing);
  model.connect();
  const seq = model.call("{}", "stream");
  say(model, 0, { n: 1 });
  model.pass(3_600_000);
  assert.deepEqual(model.open, [seq]);
});

test("a stream that subscribes has begun, and has no deadline, once it is on a socket", () => {
  const subscribing: Protocol = { ...rows, encode: (...all) => ({ ...rows.encode(...all), subscribes: true }) };
  const model = new ExchangeModel(subscribing);
  const early = model.call("{}", "stream", 60_000);
  const unsent = model.call("{}", "stream", 1_000);
  model.pass(1_000);
  assert.deepEqual(model.begun, [], "it waits for a connection no longer than other requests");
  model.fails(unsent, "reply_timeout", "no");
  model.connect();
  const whole = model.call("{}", "request", 1_000);
  assert.deepEqual(model.begun, [early]);
  model.pass(3_600_000);
  assert.deepEqual([model.outcomes.has(whole), model.open], [true, [early]]);
  say(model, 0, { n: 1 });
  assert.deepEqual(model.parts, ['{"n":1}']);
  model.takes = false;
  model.fails(model.call("{}", "stream"), "connection_lost", "no");
  assert.deepEqual(model.begun, [early], "a stream that the socket did not take has not begun");
});

test("the unread frames of a stream are bounded by the bytes of a reply, and those taken make room", () => {
  const n = "x".repeat(300);
  const weight = weightOf(JSON.stringify({ n }));
  const model = connected({ reply_bytes: 2 * weight });
  const seq = model.call("{}", "stream");
  say(model, 0, { n });
  say(model, 0, { n });
  for (let more = 0; more < 10; more++) {
    model.exchange.taken(seq, weight);
    say(model, 0, { n });
  }
  assert.equal(model.parts.length, 12);
  say(model, 0, { n });
  assert.match(model.fails(seq, "invalid_reply", "yes").failure.detail, /faster than it is read.*limits\.reply_bytes/);
  assert.equal(model.parts.length, 12);
  assert.deepEqual(model.ownFrames, [cancelled(model, 0)]);
  model.exchange.taken(seq, weight); // the stream has ended: no effect
});

test("the unread frames of all streams together are bounded", () => {
  const n = "x".repeat(300);
  const weight = weightOf(JSON.stringify({ n }));
  const model = connected({ reply_bytes: weight });
  const all = Array.from({ length: 5 }, () => model.call("{}", "stream"));
  for (let at = 0; at < 5; at++) say(model, at, { n });
  assert.match(model.fails(all[4] ?? 0, "invalid_reply", "yes").failure.detail, /4 times limits\.reply_bytes/);
  assert.deepEqual(model.open, all.slice(0, 4));
});

test("abandoning a stream cancels it at the upstream if it was sent; a lost connection cancels nothing", () => {
  const model = connected();
  const seq = model.call("{}", "stream");
  say(model, 0, { n: 1 });
  model.abandon(seq);
  assert.deepEqual(model.ownFrames, [cancelled(model, 0)]);
  say(model, 0, { n: 2 });
  assert.equal(model.parts.length, 1);
  const other = model.call("{}", "stream");
  say(model, 1, { n: 1 });
  model.lose();
  model.fails(other, "connection_lost", "yes");
  model.availability({ type: "hold" });
  model.abandon(model.call("{}", "stream"));
  assert.equal(model.ownFrames.length, 1);
});

test("the drain does not wait for a stream", () => {
  const model = connected();
  const stream = model.call("{}", "stream");
  const request = model.call("{}");
  say(model, 0, { n: 1 });
  model.carryOut(model.exchange.drain(model.now));
  assert.equal(model.exchange.onTheWire, 1);
  say(model, 1, { end: 1 });
  assert.equal(model.exchange.onTheWire, 0);
  assert.deepEqual([model.open, model.reply(request)], [[stream], '[{"end":1}]']);
});

// Replies of bytes.

/** The outline of a text that was read in steps. */
function outlined(text: string) {
  const steps = outlineInSteps(text);
  for (let step = steps.next(); ; step = steps.next()) if (step.done) return step.value;
}

test("a large last frame is judged also where the caller's own id is put back into it", () => {
  const speech: Protocol = {
    ...json({ final: [{ has: ["/end"] }], collect: {} }),
    bytesIn: () => undefined,
    cutsShort: (frame) => frame.includes('"cut"'),
  };
  for (const [what, isCut] of [
    ["cut", true],
    ["whole", undefined],
  ] as const) {
    const model = new ExchangeModel(speech);
    model.connect();
    const seq = model.call('{"id":"mine"}', "bytes");
    const last = `{"id":${idAt(model, 0)},"end":1,"${what}":1,"padding":"${"x".repeat(LARGE_TEXT)}"}`;
    knowing(outlined(last), () => model.frame(last));
    const outcome = model.outcome(seq);
    assert.ok(outcome.type === "reply" && textOf(outcome.body)?.startsWith('{"id":"mine",'));
    assert.equal(outcome.isCut, isCut, what);
  }
});

test("bytes in the last frame of a reply of bytes are passed on before its end", () => {
  const speech: Protocol = {
    ...jsonByOrder({ final: [{ has: ["/end"] }], collect: {} }),
    bytesIn: (frame) => new TextEncoder().encode(JSON.parse(frame).sound),
  };
  const model = new ExchangeModel(speech);
  model.connect();
  const seq = model.call("{}", "bytes");
  for (const frame of ['{"sound":"one"}', '{"end":1,"sound":"two"}']) model.frame(frame);
  assert.deepEqual(
    model.parts,
    ["one", "two"].map((text) => String(new TextEncoder().encode(text))),
  );
  assert.equal(model.outcome(seq).type, "reply");
});

test("a last frame whose bytes do not fit ends its reply, and the next one goes to the next request", () => {
  const bytesIn = () => new Uint8Array(200);
  const speech: Protocol = { ...jsonByOrder({ final: [{ has: ["/end"] }], collect: {} }), bytesIn };
  const model = new ExchangeModel(speech, { reply_bytes: 100 });
  model.connect();
  const first = model.call("{}", "bytes");
  const second = model.call("{}");
  model.frame('{"end":1}');
  model.fails(first, "invalid_reply", "yes");
  model.frame('{"end":2}');
  assert.equal(model.reply(second), '[{"end":2}]');
});

test("a reply of bytes is cut by a frame that says so, and a large one is judged only if its outline is known", () => {
  const judged: number[] = [];
  const speech: Protocol = {
    ...jsonByOrder({ final: [{ has: ["/end"] }], collect: {} }),
    bytesIn: () => undefined,
    cutsShort: (frame) => judged.push(frame.length) > 0 && frame.includes('"cut"'),
  };
  const padding = "x".repeat(LARGE_TEXT);
  const small = '{"end":1,"cut":1}';
  const large = `{"end":1,"cut":1,"padding":"${padding}"}`;
  const bytes = new TextEncoder().encode(`{"end":1,"error":"${padding}"}`);
  const plain = (model: ExchangeModel, frame: string | Uint8Array) => model.frame(frame);
  const read = (model: ExchangeModel, frame: string) => knowing(outlined(frame), () => model.frame(frame));
  const part = (model: ExchangeModel) => {
    model.frame('{"cut":1}');
    model.frame('{"end":1}');
  };
  const longPart = (model: ExchangeModel) => {
    model.frame(`{"cut":1,"padding":"${padding}"}`);
    model.frame('{"end":1}');
  };
  for (const [what, isCut, say] of [
    ["a small last frame", true, (model: ExchangeModel) => plain(model, small)],
    ["a frame before it", true, part],
    ["a large last frame that was read", true, (model: ExchangeModel) => read(model, large)],
    ["a large last frame", undefined, (model: ExchangeModel) => plain(model, large)],
    ["large bytes", undefined, (model: ExchangeModel) => plain(model, bytes)],
    ["a large frame before the last", undefined, longPart],
  ] as const) {
    const model = new ExchangeModel(speech);
    model.connect();
    judged.length = 0;
    const seq = model.call("{}", "bytes");
    say(model);
    const outcome = model.outcome(seq);
    assert.equal(outcome.type === "reply" && outcome.isCut, isCut, what);
    if (isCut === undefined)
      assert.ok(
        judged.every((length) => length <= LARGE_TEXT),
        what,
      );
  }
});
