/** Tests of replies that go on under another id, and of those that end when several conditions have been met. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ConfiguredFrames } from "../../../src/core/exchange/configured-frames.ts";
import { CorrelateById } from "../../../src/core/exchange/correlate-by-id.ts";
import { RequestTable, type SentEntry } from "../../../src/core/exchange/request-table.ts";
import { type JsonOptions, json } from "../../../src/protocols/json.ts";
import { preparePatterns } from "../../../src/protocols/lazy-pattern.ts";
import { textByOrder } from "../../../src/protocols/text-by-order.ts";
import { ExchangeModel } from "./exchange-model.ts";

await preparePatterns({ text: "" });

const realtime: JsonOptions = {
  id: { alias: ["/response", "/of"] },
  final: [{ has: ["/done"] }],
  collect: {},
  cancel: { stop: "$alias" },
};

function connected(options: JsonOptions = realtime): ExchangeModel {
  const model = new ExchangeModel(json(options));
  model.connect();
  return model;
}

const idAt = (model: ExchangeModel, at: number): number => JSON.parse(String(model.taken[at]?.frame)).id;

/** Sends a frame with the id of the request at this place of `taken`, or under its alias. */
function say(model: ExchangeModel, at: number, members: object, connection?: number): void {
  const taken = model.taken[at];
  if (taken) taken.proven = true; // a frame about it proves that it arrived
  const id = "of" in members ? {} : { id: idAt(model, at) };
  model.frame(JSON.stringify({ ...id, ...members }), connection);
}

test("a frame with our id teaches another one, under which the rest of the reply comes", () => {
  const model = connected();
  const [a, b] = [model.call('{"id":"a"}'), model.call("{}")];
  say(model, 0, { response: "r1" });
  say(model, 1, { response: "r2" });
  say(model, 1, { of: "r2", delta: "B" });
  say(model, 0, { of: "r1", delta: "A" });
  say(model, 0, { of: "r1", done: 1 });
  say(model, 1, { of: "\u00722", done: 1 });
  assert.equal(model.reply(a), '[{"id":"a","response":"r1"},{"of":"r1","delta":"A"},{"of":"r1","done":1}]');
  assert.equal(model.reply(b), '[{"response":"r2"},{"of":"r2","delta":"B"},{"of":"r2","done":1}]');
  assert.deepEqual(model.messages, []);
});

test("no reply gets a frame of another one, whatever the order of the frames and of the requests' ends", () => {
  const step = fc.tuple(fc.nat(4), fc.constantFrom("part", "done", "abandon", "claim"), fc.nat(4));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const model = connected();
      const seqs = Array.from({ length: 5 }, () => model.call("{}"));
      for (let at = 0; at < 5; at++) say(model, at, { response: `r${at}`, owner: at });
      for (const [at, move, other] of steps) {
        if (move === "part") say(model, at, { of: `r${at}`, owner: at });
        if (move === "done") say(model, at, { of: `r${at}`, owner: at, done: 1 });
        if (move === "abandon") model.abandon(seqs[at] ?? 0);
        const isBoth = [at, other].every((one) => model.open.includes(seqs[one] ?? 0));
        if (move === "claim" && isBoth) say(model, at, { response: `r${other}`, owner: at });
      }
      for (const [at, seq] of seqs.entries()) {
        if (model.outcomes.get(seq)?.type !== "reply") continue;
        const owners = (JSON.parse(model.reply(seq)) as { owner: number }[]).map(({ owner }) => owner);
        assert.deepEqual(new Set(owners), new Set([at]));
      }
    }),
  );
});

test("an alias is forgotten with its request: what comes under it after the reply is a message", () => {
  const model = connected();
  model.call("{}");
  say(model, 0, { response: "r1" });
  say(model, 0, { of: "r1", done: 1 });
  say(model, 0, { of: "r1", again: 1 });
  const next = model.call("{}");
  say(model, 1, { response: "r1" });
  say(model, 1, { of: "r1", done: 1 });
  assert.match(model.reply(next), /"done":1/);
  assert.deepEqual([model.messages, model.exchange.counters.unclaimed], [['{"of":"r1","again":1}'], 0]);
});

test("the rest of a reply whose caller left is late up to its end, and the upstream is told by the alias", () => {
  const model = connected();
  const seq = model.call("{}");
  model.abandon(model.call("{}"));
  assert.deepEqual(model.ownFrames, [], "without the alias, another request would be cancelled");
  say(model, 0, { response: "r1" });
  assert.deepEqual(model.ownFrames, [], "the alias is that of the request whose caller waits");
  model.abandon(seq);
  assert.deepEqual(model.ownFrames, ['{"stop":"r1"}']);
  say(model, 0, { of: "r1", delta: 1 });
  say(model, 0, { of: "r1", done: 1 });
  assert.deepEqual([model.messages, model.exchange.counters.late], [[], 2]);
  say(model, 0, { of: "r1", done: 2 });
  assert.deepEqual([model.messages, model.exchange.counters.unclaimed], [['{"of":"r1","done":2}'], 0]);
});

test("the cancellation of a request whose caller left before its alias was known waits for that, or the end", () => {
  const model = connected();
  for (let n = 0; n < 3; n++) model.abandon(model.call("{}"));
  say(model, 0, { note: 1 });
  say(model, 1, { done: 1 });
  say(model, 1, { response: "r2" });
  assert.deepEqual(model.ownFrames, []);
  say(model, 0, { response: "r1" }, 9);
  say(model, 2, { response: "r3" });
  say(model, 0, { response: "r1" });
  say(model, 0, { response: "r1", delta: 1 });
  assert.deepEqual(model.ownFrames, ['{"stop":"r3"}', '{"stop":"r1"}'], "each once, over its connection");
  say(model, 0, { of: "r1", done: 1 });
  assert.equal(model.messages.length, 1, "only what came after the end");
});

test("a cancellation that was not needed is forgotten with its id, which callers use again", () => {
  const model = connected({ ...realtime, id: { kind: "keep", alias: "/response" } });
  model.abandon(model.call('{"id":"x"}'));
  say(model, 0, { done: 1 });
  const seq = model.call('{"id":"x"}', "request", 1_000);
  model.pass(1_100);
  model.fails(seq, "reply_timeout", "maybe");
  say(model, 1, { response: "r1" });
  assert.deepEqual(model.ownFrames, [], "its late reply is wanted");
});

test("a request that timed out before its alias was known gets the late rest of its reply under that", () => {
  const model = connected();
  const seq = model.call("{}", "request", 1_000);
  model.pass(1_100);
  model.fails(seq, "reply_timeout", "maybe");
  say(model, 0, { response: "r1" });
  say(model, 0, { of: "r1", done: 1 });
  const late = model.lates.get(seq);
  assert.equal(late?.type === "reply" && late.body, '[{"response":"r1"},{"of":"r1","done":1}]');
  assert.deepEqual(model.ownFrames, [], "its reply is wanted");
});

test("a request that timed out gets the late rest of its reply under its alias", () => {
  const model = connected();
  const seq = model.call("{}", "request", 1_000);
  say(model, 0, { response: "r1" });
  model.pass(1_100);
  model.fails(seq, "reply_timeout", "yes");
  say(model, 0, { of: "r1", done: 1 });
  const late = model.lates.get(seq);
  assert.equal(late?.type === "reply" && late.body, '[{"response":"r1"},{"of":"r1","done":1}]');
});

test("an alias counts on the connection that brought it, and its frames meet no condition of a greeting", () => {
  const model = connected();
  model.call("{}");
  say(model, 0, { response: "r1" });
  const frame = '{"of":"r1","delta":1}';
  assert.deepEqual(model.exchange.originOf(1, frame), { type: "request" });
  assert.equal(model.exchange.originOf(2, frame), undefined);
  model.frame(frame, 2);
  assert.deepEqual([model.messages, model.exchange.counters.unclaimed], [[frame], 0]);
});

test("a request has at most four aliases, of at most 128 characters", () => {
  const model = connected();
  const seq = model.call("{}");
  for (const alias of ["x".repeat(127), 1, 2, 3, 4, 5]) say(model, 0, { response: alias });
  for (const alias of ["x".repeat(127), 4, 5]) say(model, 0, { of: alias });
  say(model, 0, { of: 1, done: 1 });
  assert.equal(JSON.parse(model.reply(seq)).length, 8);
  assert.equal(model.messages.length, 2);
});

// Several conditions.

const both: JsonOptions = { final: { all_of: [{ has: ["/text"] }, { has: ["/usage"] }, { has: ["/end"] }] } };

test("with all_of a reply ends once each condition has been met, in any order and by any frames", () => {
  const marks = fc.shuffledSubarray(["text", "usage", "end"], { minLength: 3 });
  fc.assert(
    fc.property(marks, fc.nat(3), fc.boolean(), fc.boolean(), (order, joined, repeats, late) => {
      const model = connected({ ...both, collect: {} });
      const seq = model.call("{}", "request", late ? 100 : 25_000);
      const frames = [order.slice(0, joined), ...order.slice(joined).map((mark) => [mark])];
      for (const [at, names] of frames.entries()) {
        assert.ok(!model.outcomes.has(seq) || late);
        say(model, 0, Object.fromEntries(names.map((name) => [name, 1])));
        if (repeats && at < frames.length - 1) say(model, 0, Object.fromEntries(names.map((name) => [name, 2])));
        if (late && at === 0 && !model.outcomes.has(seq)) model.pass(200);
      }
      const outcome = model.lates.get(seq) ?? model.outcome(seq);
      assert.equal(outcome.type, "reply");
      assert.equal(model.exchange.inFlight, 0);
    }),
  );
});

test("with all_of and without collect the reply is the frame that meets the last condition", () => {
  const model = connected(both);
  const seq = model.call('{"id":"mine"}');
  for (const name of ["end", "text", "end", "usage"]) say(model, 0, { [name]: 1 });
  assert.equal(model.reply(seq), '{"id":"mine","usage":1}');
  assert.equal(model.messages.length, 3);
});

test("with all_of the id of a request whose caller left is free once the rest of its reply has come", () => {
  const model = connected({ ...both, id: { kind: "keep" }, collect: {} });
  const seq = model.call('{"id":"x"}');
  say(model, 0, { text: 1 });
  model.abandon(seq);
  const refused = () => model.fails(model.call('{"id":"x"}'), "invalid_request", "no");
  say(model, 0, { usage: 1 });
  refused();
  say(model, 0, { end: 1 });
  model.call('{"id":"x"}');
  assert.equal(model.taken.length, 2);
});

test("text without ids has all_of, too, and a late rest ends with its last condition", () => {
  const model = new ExchangeModel(textByOrder({ final: { all_of: [{ text: "^A" }, { text: "^B" }] }, collect: {} }));
  model.connect();
  const seq = model.call("go");
  for (const line of ["A1", "x", "B1"]) model.frame(line);
  assert.equal(model.reply(seq), "A1\nx\nB1");
  const late = model.call("go", "request", 1_000);
  if (model.taken[1]) model.taken[1].proven = true;
  model.frame("B2");
  model.pass(1_100);
  model.fails(late, "reply_timeout", "yes");
  const next = model.call("next");
  assert.equal(model.taken.length, 2);
  model.frame("A2");
  assert.equal(model.taken.length, 3);
  const outcome = model.lates.get(late);
  assert.equal(outcome?.type === "reply" && outcome.body, "B2\nA2");
  assert.deepEqual(model.open, [next]);
});

test("an older connection's request cancels nothing of the newest's, though their callers chose the same id", () => {
  const correlation = new CorrelateById(new RequestTable(), new ConfiguredFrames(), { maxId: 100, ids: "callers" });
  const sent = (connection: number) => ({ wire: "mine", phase: { connection } }) as SentEntry;
  const [older, newest] = [sent(1), sent(2)];
  correlation.orphaned(newest, 0, true);
  correlation.orphaned(older, 0, false);
  correlation.cancelOnceNamed(older);
  assert.equal(correlation.takeUncancelled("mine"), false);
  correlation.cancelOnceNamed(newest);
  assert.deepEqual([correlation.takeUncancelled("mine"), correlation.takeUncancelled("mine")], [true, false]);
});
