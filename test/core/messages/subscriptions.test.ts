/** Tests of subscriptions as a pure state machine. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SubscriptionSettings } from "../../../src/config/schema.ts";
import { type SubscriptionEffect, Subscriptions } from "../../../src/core/messages/subscriptions.ts";
import type { Outcome } from "../../../src/core/outcome.ts";

const ticks: SubscriptionSettings = {
  request: { method: "subscribe", params: ["ticks"] },
  id: "/result",
  match: { "/method": "tick", "/params/subscription": "$id" },
  unsubscribe: { method: "unsubscribe", params: ["$id"] },
};
const retry = { from: 100, to: 1_000 };

const reply = (result: unknown): Outcome => ({
  type: "reply",
  body: JSON.stringify({ result }),
  queueMs: 0,
  upstreamMs: 0,
});
const tick = (subscription: unknown, n = 0) => JSON.stringify({ method: "tick", params: { subscription, n } });

/** Abbreviates effects: `request 1`, `a active`, `a: {…}`, `send {…}`. */
function brief(effects: readonly SubscriptionEffect[]): string[] {
  return effects.map((effect): string => {
    if (effect.type === "request") return `request ${effect.number}`;
    if (effect.type === "send") return `send ${effect.message}`;
    return effect.type === "state" ? `${effect.name} ${effect.state.phase}` : `${effect.name}: ${effect.text}`;
  });
}

function settle(all: Subscriptions, number: number, outcome: Outcome, now = 0): string[] {
  return brief(all.settled(number, outcome, { now, random: 0.999, retry }));
}

test("a subscription is requested on every connection, and its upstream id is hidden behind our name", () => {
  const all = new Subscriptions();
  assert.deepEqual(brief(all.add("a", ticks)), ["a waiting"]);
  assert.deepEqual(brief(all.connected()), ["a asking", "request 1"]);
  assert.deepEqual(settle(all, 1, reply("0xabc")), ["a active"]);
  assert.deepEqual(brief(all.message(tick("0xabc", 1))), [`a: ${tick("a", 1)}`]);
  assert.deepEqual(brief(all.message(tick("0xother"))), []);
  assert.deepEqual(brief(all.lost()), ["a waiting"]);
  assert.deepEqual(brief(all.message(tick("0xabc", 2))), [], "a lost subscription has no id");
  assert.deepEqual(brief(all.connected()), ["a asking", "request 2"]);
  assert.deepEqual(settle(all, 1, reply("0xabc")), [], "a reply to the previous connection's request is ignored");
  assert.deepEqual(settle(all, 2, reply(77)), ["a active"]);
  assert.deepEqual(brief(all.message(tick(77, 3))), [`a: ${tick("a", 3)}`]);
});

test("a reply to a request of a lost connection is ignored", () => {
  const all = new Subscriptions();
  all.add("a", ticks);
  all.connected();
  all.lost();
  assert.deepEqual(brief(all.connected()), ["a asking", "request 2"]);
  assert.deepEqual(settle(all, 1, reply("0x1")), []);
  assert.deepEqual(settle(all, 2, reply("0x2")), ["a active"]);
});

test("a message that arrives before the reply is delivered after it", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", ticks);
  assert.deepEqual(brief(all.message(tick("0x1", 1))), []);
  assert.deepEqual(settle(all, 1, reply("0x1")), ["a active", `a: ${tick("a", 1)}`]);
});

test("a message from before a refusal is not delivered to the next agreement", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", ticks);
  all.message(tick("0x1"));
  settle(all, 1, reply(null));
  all.expire(100);
  assert.deepEqual(settle(all, 2, reply("0x1")), ["a active"]);
});

test("messages before the reply are kept up to a number and a size", () => {
  for (const [count, message, kept] of [
    [1_001, tick("0x1"), 1_000],
    [3, JSON.stringify({ ...JSON.parse(tick("0x1")), filling: "x".repeat(600_000) }), 2],
  ] as const) {
    const all = new Subscriptions();
    all.connected();
    all.add("a", ticks);
    for (let n = 0; n < count; n++) all.message(message);
    assert.equal(settle(all, 1, reply("0x1")).length, 1 + kept);
  }
});

test("two subscriptions that the upstream treats as one both get its messages", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", ticks);
  all.add("b", ticks);
  settle(all, 1, reply("0x1"));
  settle(all, 2, reply("0x1"));
  assert.deepEqual(brief(all.message(tick("0x1"))), [`a: ${tick("a")}`, `b: ${tick("b")}`]);
});

test("a removed subscription is ended at the upstream and never requested again", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", ticks);
  settle(all, 1, reply("0x1"));
  assert.deepEqual(brief(all.remove("a")), ['send {"method":"unsubscribe","params":["0x1"]}']);
  assert.deepEqual(brief(all.message(tick("0x1"))), []);
  all.lost();
  assert.deepEqual(brief(all.connected()), []);
  assert.deepEqual(brief(all.remove("a")), []);
});

test("a subscription removed while its request is in flight is ended when the upstream agrees", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", ticks);
  assert.deepEqual(brief(all.remove("a")), []);
  all.add("a", ticks);
  assert.deepEqual(settle(all, 1, reply("0x1")), ['send {"method":"unsubscribe","params":["0x1"]}']);
  assert.deepEqual(settle(all, 2, reply("0x2")), ["a active"]);
});

test("a refusal of a removed subscription has no effect", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", ticks);
  all.remove("a");
  assert.deepEqual(settle(all, 1, reply(null)), []);
});

const tooLate: Outcome = { type: "failed", failure: { code: "reply_timeout", sent: "maybe", detail: "too late" } };

test("a late agreement is undone", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", ticks);
  all.add("b", ticks);
  all.remove("b");
  settle(all, 1, tooLate);
  settle(all, 2, tooLate);
  assert.deepEqual(brief(all.late(1, reply("0x1"))), ['send {"method":"unsubscribe","params":["0x1"]}']);
  assert.deepEqual(brief(all.late(2, reply("0x2"))), ['send {"method":"unsubscribe","params":["0x2"]}']);
  assert.deepEqual(brief(all.late(2, reply("0x2"))), [], "once");
  assert.deepEqual(brief(all.expire(100)), ["a asking", "request 5"]);
  settle(all, 5, tooLate);
  assert.deepEqual(brief(all.late(5, reply(null))), [], "a refusal");
  assert.deepEqual(brief(all.expire(1_000)), ["a asking", "request 6"]);
  settle(all, 6, tooLate);
  all.lost();
  assert.deepEqual(brief(all.late(6, reply("0x6"))), [], "it ended with its connection");
});

test("an unsubscription that would end another subscription is not sent", () => {
  const all = new Subscriptions();
  all.connected();
  for (const name of ["a", "b"]) all.add(name, ticks);
  for (const number of [1, 2]) settle(all, number, reply("0x1"));
  assert.deepEqual(brief(all.remove("a")), []);
  assert.deepEqual(brief(all.message(tick("0x1"))), [`b: ${tick("b")}`]);
  assert.deepEqual(brief(all.remove("b")), ['send {"method":"unsubscribe","params":["0x1"]}']);
  const channel = { request: "SUB ticks", match: { "/type": "tick" }, unsubscribe: "UNSUB ticks" };
  all.add("c", channel);
  settle(all, 4, reply(""));
  all.add("d", channel);
  assert.deepEqual(brief(all.remove("c")), [], "the request of the other is in flight");
  settle(all, 5, reply(""));
  assert.deepEqual(brief(all.remove("d")), ["send UNSUB ticks"]);
});

test("an unsubscription without room is repeated later, unless the subscription ended by itself", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", ticks);
  settle(all, 1, reply("0x1"));
  const undone = ['send {"method":"unsubscribe","params":["0x1"]}'];
  assert.deepEqual(brief(all.remove("a")), undone);
  const full = { code: "too_many_in_flight", sent: "no", detail: "", retryAfterMs: 1_000 } as const;
  assert.deepEqual(settle(all, 2, { type: "failed", failure: full }), []);
  assert.equal(all.nextDeadline, 1_000);
  assert.deepEqual([brief(all.expire(999)), brief(all.expire(1_000))], [[], undone]);
  settle(all, 3, { type: "failed", failure: full });
  all.lost();
  all.connected();
  assert.equal(all.nextDeadline, undefined);
  all.add("a", ticks);
  settle(all, 4, reply("0x2"));
  all.remove("a");
  settle(all, 5, { type: "done" });
  assert.equal(all.nextDeadline, undefined, "the upstream was notified");
  all.add("a", ticks);
  settle(all, 6, reply("0x3"));
  all.remove("a");
  settle(all, 7, { type: "failed", failure: { code: "invalid_request", sent: "no", detail: "" } });
  assert.equal(all.nextDeadline, undefined, "the failure is permanent");
});

test("consecutive refusals back off, none is repeated at once, and an agreement resets the backoff", () => {
  const all = new Subscriptions();
  const refusedAfter = (number: number, random: number) => {
    all.settled(number, reply(null), { now: 0, random, retry });
    return all.nextDeadline;
  };
  all.connected();
  all.add("a", ticks);
  const delays = [0.999, 0.999, 0.999, 0].map((random, n) => {
    const delay = refusedAfter(n + 1, random);
    all.expire(10_000);
    return delay;
  });
  assert.deepEqual(delays, [100, 200, 400, 100]);
  settle(all, 5, reply("0x1"));
  all.lost();
  all.connected();
  assert.equal(refusedAfter(6, 0.999), 100);
  all.lost();
  assert.deepEqual([all.nextDeadline, brief(all.expire(10_000))], [undefined, []], "without a connection");
});

const refusals: readonly (readonly [string, Outcome, RegExp])[] = [
  [
    "an error",
    { type: "reply", body: '{"error":{"code":-1}}', queueMs: 0, upstreamMs: 0 },
    /refused it: \{"error":\{"code":-1/,
  ],
  ["no id", reply(null), /the reply has no id at \/result/],
  ["no JSON", { type: "reply", body: "}", queueMs: 0, upstreamMs: 0 }, /not JSON/],
  ["no reply", { type: "failed", failure: { code: "reply_timeout", sent: "maybe", detail: "too late" } }, /too late/],
];
for (const [name, outcome, why] of refusals) {
  test(`a request whose outcome is ${name} fails with its reason and is repeated after a delay`, () => {
    const all = new Subscriptions();
    all.connected();
    all.add("a", ticks);
    const [effect] = all.settled(1, outcome, { now: 1_000, random: 0.999, retry });
    assert.ok(effect?.type === "state" && effect.state.phase === "failed");
    assert.match(effect.state.lastFailure?.detail ?? "", why);
    assert.equal(all.nextDeadline, 1_100);
    assert.deepEqual(brief(all.expire(1_099)), []);
    assert.deepEqual(brief(all.expire(1_100)), ["a asking", "request 2"]);
    assert.equal(all.nextDeadline, undefined);
    assert.deepEqual(settle(all, 2, reply("0x1")), ["a active"]);
  });
}

test("a subscription without an id is known by fixed values", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", { request: "SUB ticks", match: { "/type": "tick" } });
  assert.deepEqual(settle(all, 1, reply("whatever")), ["a active"]);
  assert.deepEqual(brief(all.message('{"type":"tick"}')), ['a: {"type":"tick"}']);
});

test("the upstream's id is compared as the JSON value that it is", () => {
  for (const [id, other] of [
    [77, "77"],
    ["77", 77],
    [true, "true"],
  ] as const) {
    const all = new Subscriptions();
    all.connected();
    all.add("a", ticks);
    settle(all, 1, reply(id));
    assert.deepEqual(brief(all.message(tick(other))), []);
    assert.deepEqual(brief(all.message(tick(id))), [`a: ${tick("a")}`]);
  }
});

test("a subscription takes all that a condition can say", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", { request: "SUB ticks", match: { "/n": 1 }, has: ["/d"], lacks: ["/error"] });
  settle(all, 1, reply("whatever"));
  assert.deepEqual(brief(all.message('{"n":1,"d":0}')), ['a: {"n":1,"d":0}']);
  for (const other of ['{"n":"1","d":0}', '{"n":1}', '{"n":1,"d":0,"error":0}']) {
    assert.deepEqual(brief(all.message(other)), [], other);
  }
});

test("the eth_subscribe preset knows its request and its messages", () => {
  const all = new Subscriptions();
  all.connected();
  const [, request] = all.add("heads", { preset: "eth_subscribe", params: ["newHeads"] });
  assert.deepEqual(request?.type === "request" && JSON.parse(request.message), {
    jsonrpc: "2.0",
    method: "eth_subscribe",
    params: ["newHeads"],
  });
  settle(all, 1, reply("0x9"));
  const message = (id: string) => `{"method":"eth_subscription","params":{"subscription":"${id}","result":1}}`;
  assert.deepEqual(brief(all.message(message("0x9"))), [`heads: ${message("heads")}`]);
});
