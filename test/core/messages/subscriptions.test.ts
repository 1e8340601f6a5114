/** Tests of subscriptions as a pure state machine. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SubscriptionSettings } from "../../../src/config/schema.ts";
import { AGREE_WITHIN_MS, type SubscriptionEffect, Subscriptions } from "../../../src/core/messages/subscriptions.ts";
import type { Outcome } from "../../../src/core/outcome.ts";
import { preparePatterns } from "../../../src/protocols/lazy-pattern.ts";

await preparePatterns({ text: "" });

const ticks: SubscriptionSettings = {
  request: { method: "subscribe", params: ["ticks"] },
  id: "/result",
  match: { "/method": "tick", "/params/subscription": "$id" },
  unsubscribe: { method: "unsubscribe", params: ["$id"] },
};
const retry = { from: 100, to: 1_000, stable: 5_000 };
const at = (now: number) => ({ now, random: 0.999, retry });

const reply = (result: unknown): Outcome => ({
  type: "reply",
  body: JSON.stringify({ result }),
  queueMs: 0,
  upstreamMs: 0,
});
const tick = (subscription: unknown, n = 0) => JSON.stringify({ method: "tick", params: { subscription, n } });

/** A reply whose id is a list in a list, and so on. */
const nested = (levels: number): Outcome => ({
  type: "reply",
  body: `{"result":${"[".repeat(levels)}${"]".repeat(levels)}}`,
  queueMs: 0,
  upstreamMs: 0,
});

/** Abbreviates effects but `removed`: `request 1`, `a active`, `a: {…}`, and with its message if it unsubscribes. */
function brief(effects: readonly SubscriptionEffect[] = []): string[] {
  return effects.flatMap((effect): string[] => {
    switch (effect.type) {
      case "request":
        return [/unsub/i.test(effect.message) ? `request ${effect.message}` : `request ${effect.number}`];
      case "send":
        return [`send ${effect.message}`];
      case "state":
        return [`${effect.name} ${effect.state.phase}`];
      case "message":
        return [`${effect.name}: ${effect.text}`];
      case "missed":
        return [`${effect.name} missed`];
      default:
        return [];
    }
  });
}

/** The ends of removals: `7`, or `7 invalid_reply: …`. */
function removals(effects: readonly SubscriptionEffect[] = []): string[] {
  return effects.flatMap((effect) => {
    if (effect.type !== "removed") return [];
    const { removal, failure } = effect;
    return [failure ? `${removal} ${failure.code}: ${failure.detail}` : String(removal)];
  });
}

function settle(all: Subscriptions, number: number, outcome: Outcome, now = 0): string[] {
  return brief(all.settled(number, outcome, at(now)));
}

function hear(all: Subscriptions, text: string, now = 0): string[] {
  return brief(all.message(text, at(now)));
}

/** The last failure that effects report. */
function failureIn(effects: readonly SubscriptionEffect[] | undefined) {
  const states = (effects ?? []).flatMap((effect) => (effect.type === "state" ? [effect.state] : []));
  return states.at(-1)?.lastFailure;
}

const UNSUB = '{"method":"unsubscribe","params":["0x1"]}';

test("a subscription is requested on every connection, and its upstream id is hidden behind our name", () => {
  const all = new Subscriptions();
  assert.deepEqual(brief(all.add("a", ticks)), ["a waiting"]);
  assert.deepEqual(brief(all.connected()), ["a asking", "request 1"]);
  assert.deepEqual(settle(all, 1, reply("0xabc")), ["a active"]);
  assert.deepEqual(hear(all, tick("0xabc", 1)), [`a: ${tick("a", 1)}`]);
  assert.deepEqual(hear(all, tick("0xother")), []);
  assert.deepEqual(brief(all.lost("reset", [])), ["a waiting"]);
  assert.deepEqual(hear(all, tick("0xabc", 2)), [], "a lost subscription has no id");
  assert.deepEqual(brief(all.connected()), ["a asking", "request 2"]);
  assert.deepEqual(settle(all, 1, reply("0xabc")), [], "a reply to the previous connection's request is ignored");
  assert.deepEqual(settle(all, 2, reply(77)), ["a active"]);
  assert.deepEqual(hear(all, tick(77, 3)), [`a: ${tick("a", 3)}`]);
});

test("a reply to a request of a lost connection is ignored", () => {
  const all = new Subscriptions();
  all.add("a", ticks);
  all.connected();
  all.lost("reset", []);
  assert.deepEqual(brief(all.connected()), ["a asking", "request 2"]);
  assert.deepEqual(settle(all, 1, reply("0x1")), []);
  assert.deepEqual(settle(all, 2, reply("0x2")), ["a active"]);
});

test("a message that arrives before the reply is delivered after it", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", ticks);
  assert.deepEqual(hear(all, tick("0x1", 1)), []);
  assert.deepEqual(settle(all, 1, reply("0x1")), ["a active", `a: ${tick("a", 1)}`]);
});

test("a message from before a refusal is not delivered to the next agreement", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", ticks);
  hear(all, tick("0x1"));
  settle(all, 1, reply(null));
  all.expire(at(1_000));
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
    for (let n = 0; n < count; n++) hear(all, message);
    const effects = settle(all, 1, reply("0x1"));
    assert.deepEqual([effects.length, effects.at(-1)], [1 + kept + 1, "a missed"], "the rest is a gap");
  }
});

test("two subscriptions that the upstream treats as one both get its messages", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", ticks);
  all.add("b", ticks);
  settle(all, 1, reply("0x1"));
  settle(all, 2, reply("0x1"));
  assert.deepEqual(hear(all, tick("0x1")), [`a: ${tick("a")}`, `b: ${tick("b")}`]);
});

test("a removed subscription is ended at the upstream and never requested again", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", ticks);
  settle(all, 1, reply("0x1"));
  assert.deepEqual(brief(all.remove("a", 7)), [`request ${UNSUB}`]);
  assert.deepEqual(hear(all, tick("0x1")), []);
  all.lost("reset", []);
  assert.deepEqual(brief(all.connected()), []);
  assert.deepEqual(brief(all.remove("a", 7)), []);
});

test("a subscription removed while its request is in flight is ended when the upstream agrees", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", ticks);
  assert.deepEqual(brief(all.remove("a", 7)), []);
  all.add("a", ticks);
  assert.deepEqual(settle(all, 1, reply("0x1")), [`request ${UNSUB}`]);
  assert.deepEqual(settle(all, 2, reply("0x2")), ["a active"]);
});

test("a refusal of a removed subscription has no effect", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", ticks);
  all.remove("a", 7);
  assert.deepEqual(settle(all, 1, reply(null)), []);
});

const tooLate: Outcome = { type: "failed", failure: { code: "reply_timeout", sent: "maybe", detail: "too late" } };

test("a late agreement is undone", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", ticks);
  all.add("b", ticks);
  all.remove("b", 7);
  settle(all, 1, tooLate);
  settle(all, 2, tooLate);
  assert.deepEqual(brief(all.late(1, reply("0x1"), at(0))), [`request ${UNSUB}`]);
  assert.deepEqual(brief(all.late(2, reply("0x2"), at(0))), ['request {"method":"unsubscribe","params":["0x2"]}']);
  assert.deepEqual(brief(all.late(2, reply("0x2"), at(0))), [], "once");
  assert.deepEqual(brief(all.expire(at(100))), ["a asking", "request 5"]);
  settle(all, 5, tooLate);
  assert.deepEqual(brief(all.late(5, reply(null), at(0))), [], "a refusal");
  assert.deepEqual(brief(all.expire(at(1_000))), ["a asking", "request 6"]);
  settle(all, 6, tooLate);
  all.lost("reset", []);
  assert.deepEqual(brief(all.late(6, reply("0x6"), at(0))), [], "it ended with its connection");
});

test("an unsubscription that would end another subscription is not sent", () => {
  const all = new Subscriptions();
  all.connected();
  for (const name of ["a", "b"]) all.add(name, ticks);
  for (const number of [1, 2]) settle(all, number, reply("0x1"));
  assert.deepEqual(brief(all.remove("a", 7)), []);
  assert.deepEqual(hear(all, tick("0x1")), [`b: ${tick("b")}`]);
  assert.deepEqual(brief(all.remove("b", 7)), [`request ${UNSUB}`]);
  const channel = { request: "SUB ticks", match: { "/type": "tick" }, unsubscribe: "UNSUB ticks" };
  all.add("c", channel);
  settle(all, 4, reply(""));
  all.add("d", channel);
  assert.deepEqual(brief(all.remove("c", 7)), [], "the request of the other is in flight");
  settle(all, 5, reply(""));
  assert.deepEqual(brief(all.remove("d", 7)), ["request UNSUB ticks"]);
});

test("an unsubscription without room is repeated later, unless the subscription ended by itself", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", ticks);
  settle(all, 1, reply("0x1"));
  const undone = [`request ${UNSUB}`];
  assert.deepEqual(brief(all.remove("a", 7)), undone);
  const full = { code: "too_many_in_flight", sent: "no", detail: "", retryAfterMs: 1_000 } as const;
  assert.deepEqual(settle(all, 2, { type: "failed", failure: full }), []);
  assert.equal(all.nextDeadline, 1_000);
  assert.deepEqual([brief(all.expire(at(999))), brief(all.expire(at(1_000)))], [[], undone]);
  settle(all, 3, { type: "failed", failure: full });
  all.lost("reset", []);
  all.connected();
  assert.equal(all.nextDeadline, undefined);
  all.add("a", ticks);
  settle(all, 4, reply("0x2"));
  all.remove("a", 7);
  settle(all, 5, { type: "done" });
  assert.equal(all.nextDeadline, undefined, "the upstream was notified");
  all.add("a", ticks);
  settle(all, 6, reply("0x3"));
  all.remove("a", 7);
  settle(all, 7, tooLate);
  assert.equal(all.nextDeadline, undefined, "it may have arrived");
});

test("consecutive failures back off, none is repeated at once, and an agreement resets the backoff", () => {
  const all = new Subscriptions();
  const late: Outcome = { type: "failed", failure: { code: "reply_timeout", sent: "no", detail: "too late" } };
  const refusedAfter = (number: number, random: number) => {
    all.settled(number, late, { now: 0, random, retry });
    return all.nextDeadline;
  };
  all.connected();
  all.add("a", ticks);
  const delays = [0.999, 0.999, 0.999, 0].map((random, n) => {
    const delay = refusedAfter(n + 1, random);
    all.expire(at(10_000));
    return delay;
  });
  assert.deepEqual(delays, [100, 200, 400, 100]);
  settle(all, 5, reply("0x1"));
  all.lost("reset", []);
  all.connected();
  assert.equal(refusedAfter(6, 0.999), 100);
  all.lost("reset", []);
  assert.deepEqual([all.nextDeadline, brief(all.expire(at(10_000)))], [undefined, []], "without a connection");
});

test("a refused request pauses for a second at least, unless reconnect.refused is shorter", () => {
  for (const [to, delays] of [
    [10_000, [1_000, 1_000, 1_000, 1_000, 1_598]],
    [300, [300, 300]],
  ] as const) {
    const all = new Subscriptions();
    all.connected();
    all.add("a", ticks);
    for (const [index, delay] of delays.entries()) {
      all.settled(index + 1, reply(null), { ...at(0), retry: { ...retry, to } });
      assert.equal(all.nextDeadline, delay);
      all.expire({ ...at(delay), retry: { ...retry, to } });
    }
  }
});

const refusals: readonly (readonly [string, Outcome, RegExp])[] = [
  [
    "an error",
    { type: "reply", body: '{"error":{"code":-1}}', queueMs: 0, upstreamMs: 0 },
    /refused it: \{"error":\{"code":-1/,
  ],
  ["no id", reply(null), /the reply has no usable id .* at \/result/],
  ["a deep id", nested(9), /the reply has no usable id \(at most 1024 characters and 8 levels\)/],
  ["an id of a million levels", nested(1_000_000), /the reply has no usable id/],
  ["a long id", reply("x".repeat(1_024)), /the reply has no usable id/],
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
    const due = outcome.type === "reply" ? 2_000 : 1_100;
    assert.equal(all.nextDeadline, due);
    assert.deepEqual(brief(all.expire(at(due - 1))), []);
    assert.deepEqual(brief(all.expire(at(due))), ["a asking", "request 2"]);
    assert.equal(all.nextDeadline, undefined);
    assert.deepEqual(settle(all, 2, reply("0x1")), ["a active"]);
  });
}

test("a reply that refuses in the protocol's own form is no agreement, and a message in that form is none of it", () => {
  const all = new Subscriptions(undefined, (text) => text.startsWith("[8,"));
  all.connected();
  all.add("a", { request: [32, null, {}, "ticks"], match: { "/0": 36 }, unsubscribe: [34] });
  assert.equal(all.message("[8,68]", at(0)), undefined);
  const refusal: Outcome = { type: "reply", body: '[8,32,null,{},"no"]', queueMs: 0, upstreamMs: 0 };
  const [effect] = all.settled(1, refusal, at(0));
  assert.ok(effect?.type === "state" && effect.state.phase === "failed");
  assert.match(effect.state.lastFailure?.detail ?? "", /refused it: \[8,32,/);
});

test("a subscription without an id is known by fixed values", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", { request: "SUB ticks", match: { "/type": "tick" } });
  assert.deepEqual(settle(all, 1, reply("whatever")), ["a active"]);
  assert.deepEqual(hear(all, '{"type":"tick"}'), ['a: {"type":"tick"}']);
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
    assert.deepEqual(hear(all, tick(other)), []);
    assert.deepEqual(hear(all, tick(id)), [`a: ${tick("a")}`]);
  }
});

test("a subscription takes all that a condition can say", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", { request: "SUB ticks", match: { "/n": 1 }, has: ["/d"], lacks: ["/error"] });
  settle(all, 1, reply("whatever"));
  assert.deepEqual(hear(all, '{"n":1,"d":0}'), ['a: {"n":1,"d":0}']);
  for (const other of ['{"n":"1","d":0}', '{"n":1}', '{"n":1,"d":0,"error":0}']) {
    assert.deepEqual(hear(all, other), [], other);
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
  assert.deepEqual(hear(all, message("0x9")), [`heads: ${message("heads")}`]);
});

const conf = (sub: string) => JSON.stringify({ event: "subscribed", sub });
const no = (sub: string) => JSON.stringify({ event: "no", sub });

const body = (value: unknown): Outcome => ({ ...reply(null), body: JSON.stringify(value) }) as Outcome;

test("a reply that refuses in a common form never activates, and one without an error does", () => {
  const plain = { request: "SUB", match: { "/type": "tick" } };
  const cases: readonly (readonly [unknown, "failed" | "active"])[] = [
    [{ success: false }, "failed"],
    [{ ok: false }, "failed"],
    [{ status: "error" }, "failed"],
    [{ event: "error" }, "failed"],
    [{ type: "error" }, "failed"],
    [{ payload: { status: "error", response: { reason: "unauthorized" } } }, "failed"],
    [{ error: { code: -1 } }, "failed"],
    [{ error: "no" }, "failed"],
    [{ error: null }, "active"],
    [{ error: false }, "active"],
    [{ error: 0 }, "active"],
    [{ success: true, status: "ok" }, "active"],
  ];
  for (const [value, phase] of cases) {
    const all = new Subscriptions();
    all.connected();
    all.add("a", plain);
    const effects = all.settled(1, body(value), at(0));
    assert.deepEqual(brief(effects), [`a ${phase}`], JSON.stringify(value));
    const failure = failureIn(effects);
    if (phase === "failed") assert.ok(failure?.sent === "yes" && failure.detail.includes(JSON.stringify(value)));
  }
});

test("a refusal can be described, in a reply and in a message", () => {
  for (const refuse of [
    (all: Subscriptions) => all.settled(1, body({ code: 7 }), at(0)),
    (all: Subscriptions) => all.message('{"code":7}', at(0)),
  ]) {
    const all = new Subscriptions();
    all.connected();
    all.add("a", { ...ticks, refused: { match: { "/code": 7 } } });
    const effects = refuse(all);
    assert.deepEqual(brief(effects), ["a failed"]);
    assert.match(failureIn(effects)?.detail ?? "", /refused it: \{"code":7\}/);
  }
});

const agreed = ["a", "b"].map((sub) => ({ match: { "/event": "subscribed", "/sub": sub } }));
const both = { request: "SUB", match: { "/tick": true }, agreed, refused: { match: { "/event": "no" } } };

test("a subscription is active once every confirmation has come, as a reply or as a message", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("x", both);
  assert.deepEqual(hear(all, '{"tick":true}'), []);
  assert.deepEqual(all.message(conf("a"), at(0)), [], "claimed, and not enough");
  assert.equal(all.message(conf("a"), at(0)), undefined, "the same again confirms nothing");
  assert.deepEqual(settle(all, 1, body({})), [], "the reply neither agrees nor refuses");
  assert.equal(all.nextDeadline, AGREE_WITHIN_MS);
  assert.deepEqual(hear(all, conf("b")), ["x active", 'x: {"tick":true}']);
  assert.equal(all.nextDeadline, undefined);
});

test("a confirmation without an id activates, has the upstream's id, and makes the reply needless", () => {
  const all = new Subscriptions();
  all.connected();
  const settings = { request: "SUB", id: "/chan", match: { "/chan": "$id" }, agreed: { match: { "/event": "on" } } };
  all.add("x", settings);
  assert.deepEqual(hear(all, '{"event":"on","chan":9007199254740993}'), ["x active", 'x: {"event":"on","chan":"x"}']);
  assert.deepEqual(settle(all, 1, tooLate), []);
  assert.deepEqual(hear(all, '{"chan":9007199254740993,"p":1}'), ['x: {"chan":"x","p":1}']);
  assert.deepEqual(hear(all, '{"chan":9007199254740992,"p":1}'), []);
});

test("a subscription that is refused in part is active and says so; one refused as a whole is not", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("x", both);
  hear(all, conf("a"));
  const partly = all.message(no("b"), at(0));
  assert.deepEqual(brief(partly), ["x active"]);
  assert.match(failureIn(partly)?.detail ?? "", /refused a part of it: .*"sub":"b"/);
  all.add("y", both);
  hear(all, no("a"));
  assert.deepEqual(hear(all, no("b")), ["y failed"]);
});

test("confirmations that do not all come in time fail, and what was agreed to is undone", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("x", { ...both, unsubscribe: "UNSUB" });
  settle(all, 1, body({}));
  hear(all, conf("a"));
  const effects = all.expire(at(AGREE_WITHIN_MS));
  assert.deepEqual(brief(effects), ["x failed", "request UNSUB"]);
  assert.match(failureIn(effects)?.detail ?? "", /only 1 of the confirmations/);
});

test("an agreement that cannot be read is undone if that needs no id; otherwise its failure says what is left", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", { ...ticks, unsubscribe: "UNSUB" });
  assert.deepEqual(settle(all, 1, body({ ok: true })), ["a failed", "request UNSUB"]);
  all.add("b", ticks);
  const effects = all.settled(3, body({ ok: true }), at(0));
  assert.match(failureIn(effects)?.detail ?? "", /no usable id .* at \/result.*it sends until the connection ends/);
});

const stop = JSON.stringify({ method: "tick", params: { subscription: "0x1", stop: true } });
const ending = { ...ticks, ended: { match: { "/params/stop": true } } };

test("a message that ends a subscription is delivered, and the request is repeated with growing delays", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", ending);
  all.add("b", ending);
  settle(all, 2, reply("0x2"));
  const delays: number[] = [];
  for (const number of [1, 3, 4]) {
    settle(all, number, reply("0x1"));
    const effects = all.message(stop, at(0));
    assert.deepEqual(brief(effects), [`a: ${stop.replace("0x1", "a")}`, "a failed"], "only the one that it names");
    assert.match(failureIn(effects)?.detail ?? "", /ended the subscription: .*stop/);
    delays.push(all.nextDeadline ?? 0);
    assert.deepEqual(brief(all.expire(at(10_000))), ["a asking", `request ${number === 1 ? 3 : number + 1}`]);
  }
  assert.deepEqual(delays, [100, 200, 400]);
  settle(all, 5, reply("0x1"), 0);
  hear(all, tick("0x1"), 5_000);
  hear(all, stop, 6_000);
  assert.equal(all.nextDeadline, 6_100, "good service is remembered, not the failures before it");
});

test("a silent subscription is ended at the upstream and requested again; a message postpones that", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", { ...ticks, silence: 1_000 });
  settle(all, 1, reply("0x1"));
  hear(all, tick("0x1"), 600);
  assert.deepEqual(brief(all.expire(at(1_000))), []);
  assert.equal(all.nextDeadline, 1_600);
  const effects = all.expire(at(1_600));
  assert.deepEqual(brief(effects), ["a failed", `request ${UNSUB}`]);
  assert.match(failureIn(effects)?.detail ?? "", /1000 ms \(silence\)/);
  assert.deepEqual(brief(all.expire(at(1_700))), ["a asking", "request 3"]);
});

const once = { ...ending, silence: 1_000, renew: false };

test("a request that must not be repeated is sent again only if it was certainly not sent", () => {
  const endings: Readonly<Record<string, (all: Subscriptions) => readonly SubscriptionEffect[] | undefined>> = {
    "lost while asking": (all) => all.lost("reset", []),
    "timed out": (all) => all.settled(1, tooLate, at(0)),
    refused: (all) => all.settled(1, reply(null), at(0)),
    "lost while active": (all) => {
      settle(all, 1, reply("0x1"));
      return all.lost("reset", []);
    },
    ended: (all) => {
      settle(all, 1, reply("0x1"));
      return all.message(stop, at(0));
    },
    silent: (all) => {
      settle(all, 1, reply("0x1"));
      return all.expire(at(1_000));
    },
  };
  for (const [name, end] of Object.entries(endings)) {
    const all = new Subscriptions();
    all.connected();
    all.add("a", once);
    const failure = failureIn(end(all));
    assert.match(failure?.detail ?? "", /not requested again \(renew: false\)/, name);
    assert.notEqual(failure?.sent, "no", name);
    assert.equal(all.nextDeadline, undefined, name);
    all.lost("reset", []);
    assert.deepEqual(brief(all.connected()), [], name);
  }
  const all = new Subscriptions();
  all.connected();
  all.add("a", once);
  assert.deepEqual(brief(all.lost("reset", [1])), ["a waiting"], "withdrawn");
  assert.deepEqual(brief(all.connected()), ["a asking", "request 2"]);
  const paced = { code: "paced", sent: "no", detail: "", retryAfterMs: 5 } as const;
  assert.deepEqual(settle(all, 2, { type: "failed", failure: paced }), ["a failed"]);
  assert.deepEqual(brief(all.expire(at(1_000))), ["a asking", "request 3"]);
});

test("a late agreement to a request that is not repeated counts, with a gap before it", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", once);
  settle(all, 1, tooLate);
  assert.deepEqual(brief(all.late(1, reply("0x1"), at(0))), ["a active", "a missed"]);
});

test("a subscription that a former thread lost is not requested if it must not be repeated", () => {
  const all = new Subscriptions();
  all.connected();
  const lost = { code: "sidecar_crashed", sent: "maybe", detail: "died" } as const;
  assert.deepEqual(brief(all.add("a", once, lost)), ["a failed"]);
  assert.deepEqual(brief(all.remove("a", 7)), []);
});

test("a removal ends without a failure only if the upstream agrees, or there is nothing to end", () => {
  const outcomes: readonly (readonly [Outcome, RegExp])[] = [
    [reply(true), /^7$/],
    [reply(false), /^7 invalid_reply: the upstream did not agree to end it: \{"result":false\}/],
    [body({ success: false }), /^7 invalid_reply: .*success/],
    [{ ...reply(0), body: "}" } as Outcome, /^7 invalid_reply: .*may not have ended it: the reply is not JSON/],
    [tooLate, /^7 reply_timeout: too late/],
    [{ type: "done" }, /^7 reply_timeout: nothing confirms/],
  ];
  for (const [outcome, seen] of outcomes) {
    const all = new Subscriptions();
    all.connected();
    all.add("a", ticks);
    settle(all, 1, reply("0x1"));
    assert.deepEqual(removals(all.remove("a", 7)), []);
    assert.match(removals(all.settled(2, outcome, at(0))).join(), seen);
  }
  const all = new Subscriptions();
  assert.deepEqual(removals(all.remove("unknown", 1)), ["1"]);
  all.add("waiting", ticks);
  assert.deepEqual(removals(all.remove("waiting", 2)), ["2"]);
  all.connected();
  for (const [number, name] of ["active", "asking", "nameless"].entries()) {
    all.add(name, name === "nameless" ? { request: "SUB", has: ["/x"] } : ticks);
    if (name === "asking") all.remove(name, 4);
    else settle(all, number + 1, reply(name));
  }
  assert.deepEqual(removals(all.remove("nameless", 3)), ["3"], "it has no unsubscribe");
  all.remove("active", 5);
  assert.deepEqual(removals(all.lost("reset", [])), ["4", "5"], "the connection's end is theirs");
});

test("a removal while the request is in flight ends as the request and its undoing do", () => {
  const all = new Subscriptions();
  all.connected();
  for (const name of ["agreed", "refused", "open"]) {
    all.add(name, ticks);
    all.remove(name, 7);
  }
  assert.deepEqual(removals(all.settled(1, reply("0x1"), at(0))), []);
  assert.deepEqual(removals(all.settled(4, reply(true), at(0))), ["7"]);
  assert.deepEqual(removals(all.settled(2, reply(null), at(0))), ["7"]);
  assert.match(removals(all.settled(3, tooLate, at(0))).join(), /^7 reply_timeout/);
});

test("an unsubscription that the protocol does not take as a request is sent without a confirmation", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", ticks);
  settle(all, 1, reply("0x1"));
  all.remove("a", 7);
  const effects = all.settled(
    2,
    { type: "failed", failure: { code: "invalid_request", sent: "no", detail: "id" } },
    at(0),
  );
  assert.deepEqual(brief(effects), [`send ${UNSUB}`]);
  assert.match(removals(effects).join(), /^7 reply_timeout: nothing confirms it: id/);
});

test("a message that meets `ended` confirms an unsubscription", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", { ...ticks, ended: { match: { "/off": "$id" } } });
  settle(all, 1, reply("0x1"));
  all.remove("a", 7);
  assert.deepEqual(removals(all.message('{"off":"0x1"}', at(0))), ["7"]);
});

test("messages that another subscription claims leave the room of early ones alone", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("flood", ticks);
  settle(all, 1, reply("0xf"));
  all.add("a", ticks);
  all.add("same", ticks);
  for (let n = 0; n < 1_500; n++) hear(all, tick("0xf", n));
  hear(all, tick("0x1"));
  assert.deepEqual(settle(all, 2, reply("0x1")), ["a active", `a: ${tick("a")}`], "none lost, and no gap");
  const same = settle(all, 3, reply("0xf"));
  assert.deepEqual([same.length, same.at(-1)], [1_002, "same missed"], "one that the upstream treats as the same");
});

test("the upstream's id goes into the unsubscription as the upstream wrote it, and only for values", () => {
  for (const id of ["9007199254740993", '"0x1"', "1.50"]) {
    const all = new Subscriptions();
    all.connected();
    all.add("a", { ...ticks, unsubscribe: '{"$id" : "unsub","ids":["$id","a\\"$id"],"n":90071992547409931}' });
    all.settled(1, { ...reply(0), body: `{"result":${id}}` } as Outcome, at(0));
    const expected = `request {"$id" : "unsub","ids":[${id},"a\\"$id"],"n":90071992547409931}`;
    assert.deepEqual(brief(all.remove("a", 1)), [expected]);
  }
});

test("conditions on the text confirm, refuse and claim frames that are not JSON", () => {
  const all = new Subscriptions();
  const settings = {
    request: "SUB",
    agreed: { text: "^OK" },
    refused: { text: "^NO" },
    text: "^tick",
    ended: { text: "^end" },
  };
  const say = (body: string): Outcome => ({ type: "reply", body, queueMs: 0, upstreamMs: 0 });
  const hearText = (text: string) => all.message(text, at(0), false);
  all.connected();
  all.add("a", settings);
  assert.deepEqual(settle(all, 1, say("OK 1")), ["a active"]);
  assert.deepEqual(hearText("tick 1"), [{ type: "message", name: "a", text: "tick 1", kind: "text" }]);
  assert.equal(hearText("tock 1"), undefined);
  assert.deepEqual(brief(hearText("end")), ["a: end", "a failed"]);
  all.expire(at(100));
  assert.equal(failureIn(all.settled(2, say("NO"), at(100)))?.detail, "the upstream refused it: NO");
  all.expire(at(1_100));
  assert.deepEqual(all.settled(3, say("WHAT"), at(1_100)), [], "a message may still confirm it");
  assert.match(failureIn(all.expire(at(20_000)))?.detail ?? "", /^not all confirmations came/);
});

test("a group of a pattern is the id of a subscription in text: it names its messages, its end and its unsubscription", () => {
  const all = new Subscriptions();
  const named = (text: string) => ({ text, match: { $n: "$id" } });
  const agreed = { text: "^\\+SUB (?<n>\\d+)" };
  const settings = {
    request: "SUB",
    id: "$n",
    agreed: [{ text: "^HELLO" }, agreed],
    refused: { text: "^-(?<detail>.*)" },
    ...named("^EVENT (?<n>\\d+) "),
    ended: named("^[-+]END (?<n>\\d+)"),
    unsubscribe: "UNSUB $id $idle",
  };
  const say = (body: string): Outcome => ({ type: "reply", body, queueMs: 0, upstreamMs: 0 });
  const hearText = (text: string) => brief(all.message(text, at(0), false));
  all.connected();
  all.add("a", settings);
  all.settled(1, say("HELLO"), at(0));
  assert.deepEqual(hearText("EVENT 17 early"), []);
  assert.deepEqual(hearText("+SUB 17"), ["a active", "a: EVENT a early"]);
  assert.deepEqual(hearText("EVENT 17 17"), ["a: EVENT a 17"]);
  assert.deepEqual(hearText("EVENT 18 x"), []);
  assert.deepEqual(hearText("-END 18"), []);
  assert.deepEqual(brief(all.remove("a", 1)), ["request UNSUB 17 $idle"]);
  assert.deepEqual(all.settled(2, say("+END 17"), at(0)), [{ type: "removed", removal: 1, failure: undefined }]);
  all.add("b", { ...settings, agreed });
  assert.equal(
    failureIn(all.settled(3, say("-no such topic"), at(0)))?.detail,
    "the upstream refused it: no such topic",
  );
});

test("an id that is a number in JSON is the text of it in a group", () => {
  const all = new Subscriptions();
  all.connected();
  all.add("a", { request: {}, id: "/result", text: "^EVENT (?<n>\\d+)", match: { $n: "$id" } });
  settle(all, 1, reply(17));
  assert.deepEqual(brief(all.message("EVENT 17", at(0), false)), ["a: EVENT a"]);
  assert.equal(all.message("EVENT 170", at(0), false), undefined);
});

test("an id inside any, all and not is hidden behind our name", () => {
  const all = new Subscriptions();
  const any = [{ match: { "/sub": "$id" } }, { all: [{ match: { "/of": "$id" } }] }];
  all.connected();
  all.add("a", { request: {}, id: "/result", any });
  settle(all, 1, reply(5));
  assert.deepEqual(hear(all, '{"sub":5}'), ['a: {"sub":"a"}']);
  assert.deepEqual(hear(all, '{"sub":6,"of":5}'), ['a: {"sub":6,"of":"a"}']);
  assert.deepEqual(hear(all, '{"sub":6}'), []);
});

test("placeholders are filled in whenever a message is sent, and replies are shown without secrets", () => {
  let secret = "one";
  const all = new Subscriptions({
    fill: (message) => JSON.parse(JSON.stringify(message).replaceAll("KEY", secret)),
    show: (frame) => frame.replaceAll(secret, "(redacted)"),
  });
  const sent = (effects: readonly SubscriptionEffect[]) =>
    effects.flatMap((effect) => (effect.type === "request" ? [effect.message] : []));
  all.connected();
  const settings = { ...ticks, request: { key: "KEY" }, unsubscribe: '{"key":"KEY","id":"$id"}' };
  assert.deepEqual(sent(all.add("a", settings)), ['{"key":"one"}']);
  const refusal: Outcome = { type: "reply", body: '{"error":"one"}', queueMs: 0, upstreamMs: 0 };
  assert.equal(failureIn(all.settled(1, refusal, at(0)))?.detail, 'the upstream refused it: {"error":"(redacted)"}');
  secret = "two";
  assert.deepEqual(sent(all.expire(at(1_000))), ['{"key":"two"}']);
  all.settled(2, { type: "reply", body: '{"result":90071992547409931}', queueMs: 0, upstreamMs: 0 }, at(1_000));
  assert.deepEqual(sent(all.remove("a", 1)), ['{"key":"two","id":90071992547409931}']);
});
