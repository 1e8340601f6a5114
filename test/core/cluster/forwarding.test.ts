/** Requests on their way to the owner of an upstream: the table of their ends, and that none is sent twice. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  ANSWER_GRACE_MS,
  type AskEnd,
  type Destination,
  Forwarding,
  type ForwardingEffect,
  OVERTAKEN_MS,
} from "../../../src/core/cluster/forwarding.ts";
import { HOLD_MS } from "../../../src/core/exchange/send-queue.ts";
import type { Outcome } from "../../../src/core/outcome.ts";
import type { ErrorCode, Sent } from "../../../src/errors.ts";

const NONE: Destination = { type: "none", why: "no replica owns it" };
const OTHER: Destination = { type: "other", term: 5, address: "a" };
const NEXT: Destination = { type: "other", term: 6, address: "b" };
const SELF: Destination = { type: "self", term: 6, address: "s" };
const DONE: Outcome = { type: "done" };

function failure(code: ErrorCode, sent: Sent): Outcome {
  return { type: "failed", failure: { code, sent, detail: "" } };
}

/** The effects in short: their type, the address of an ask, and the code and `sent` of an outcome. */
function short(effects: readonly ForwardingEffect<string>[]): readonly string[] {
  return effects.map((effect) => {
    if (effect.type === "ask") return `ask ${effect.address}`;
    if (effect.type !== "settle" && effect.type !== "late") return effect.type;
    const { outcome } = effect;
    const end = outcome.type === "failed" ? `${outcome.failure.code} ${outcome.failure.sent}` : outcome.type;
    return `${effect.type} ${end}`;
  });
}

function asked(deadline = 10_000): Forwarding<string> {
  const forwarding = new Forwarding<string>();
  forwarding.onOwner(OTHER, 0);
  assert.deepEqual(short(forwarding.request(1, "m", deadline, 0)), ["ask a"]);
  return forwarding;
}

test("a request is held until there is an owner, and asked then", () => {
  const forwarding = new Forwarding<string>();
  assert.deepEqual(short(forwarding.request(1, "m", 10_000, 0)), []);
  assert.deepEqual(short(forwarding.onOwner(OTHER, 100)), ["ask a"]);
});

test("a request that is held is this member's own once it is the owner", () => {
  const forwarding = new Forwarding<string>();
  forwarding.request(1, "m", 10_000, 0);
  assert.deepEqual(short(forwarding.onOwner(SELF, 100)), ["own"]);
});

test("a request without an owner fails as not sent, with the reason", () => {
  const forwarding = new Forwarding<string>();
  forwarding.onOwner(NONE, 0);
  forwarding.request(1, "m", 60_000, 0);
  const [effect] = forwarding.expire(HOLD_MS);
  assert.ok(effect?.type === "settle" && effect.outcome.type === "failed");
  const { code, sent, detail } = effect.outcome.failure;
  assert.deepEqual([code, sent], ["upstream_down", "no"]);
  assert.match(detail, /no replica owns it/);
});

test("a request is not held beyond its deadline", () => {
  const forwarding = new Forwarding<string>();
  forwarding.request(1, "m", 300, 0);
  assert.deepEqual(short(forwarding.expire(290)), []);
  assert.deepEqual(short(forwarding.expire(300)), ["settle reply_timeout no"]);
});

test("a request that nobody got is asked of the next owner", () => {
  const forwarding = asked();
  assert.deepEqual(short(forwarding.onEnd(1, "nobody", 10)), []);
  assert.deepEqual(short(forwarding.onOwner(NEXT, 20)), ["ask b"]);
  assert.deepEqual(short(forwarding.onEnd(1, DONE, 30)), ["settle done"]);
});

test("an owner that refuses is asked again after a while, and no longer than a request is held", () => {
  const forwarding = asked(60_000);
  assert.deepEqual(short(forwarding.onEnd(1, "not_owner", 0)), []);
  let asks = 0;
  let end: readonly string[] = [];
  for (let now = 10; now <= 2 * HOLD_MS && end.length === 0; now += 10) {
    const effects = short(forwarding.expire(now));
    if (effects[0] === "ask a") {
      asks++;
      assert.deepEqual(short(forwarding.onEnd(1, "not_owner", now)), []);
    } else end = effects;
  }
  assert.ok(asks > 10 && asks <= HOLD_MS / 100, `${asks} asks`);
  assert.deepEqual(end, ["settle upstream_down no"]);
});

test("requests that are due to be asked again at once are all asked again", () => {
  const forwarding = asked();
  forwarding.request(2, "m", 10_000, 0);
  forwarding.onEnd(1, "nobody", 0);
  forwarding.onEnd(2, "nobody", 0);
  assert.deepEqual(short(forwarding.expire(200)), ["ask a", "ask a"]);
});

test("a request at an owner that was replaced may have been sent", () => {
  const forwarding = asked();
  assert.deepEqual(short(forwarding.onOwner(NEXT, 1_000)), []);
  assert.deepEqual(short(forwarding.expire(1_000 + OVERTAKEN_MS - 20)), []);
  assert.deepEqual(short(forwarding.expire(1_010 + OVERTAKEN_MS)), ["leave", "settle connection_lost maybe"]);
});

test("an answer of the replaced owner still counts for a moment", () => {
  const forwarding = asked();
  forwarding.onOwner(NEXT, 1_000);
  assert.deepEqual(short(forwarding.onEnd(1, DONE, 1_100)), ["settle done"]);
});

test("an owner that released answers what it has", () => {
  const forwarding = asked();
  forwarding.onReleased("a");
  forwarding.onOwner(NEXT, 1_000);
  assert.deepEqual(short(forwarding.expire(9_000)), []);
  assert.deepEqual(short(forwarding.onEnd(1, DONE, 9_000)), ["settle done"]);
});

test("an owner that has begun a new term at its address was not replaced", () => {
  const forwarding = asked();
  forwarding.onOwner({ ...OTHER, term: 9 }, 1_000);
  assert.deepEqual(short(forwarding.expire(9_000)), []);
});

test("an owner that does not answer in time leaves it open whether the message was sent", () => {
  const forwarding = asked(1_000);
  assert.deepEqual(short(forwarding.expire(1_000)), []);
  assert.deepEqual(short(forwarding.expire(1_010 + ANSWER_GRACE_MS)), ["leave", "settle reply_timeout maybe"]);
});

test("an answer that was lost leaves it open whether the message was sent", () => {
  assert.deepEqual(short(asked().onEnd(1, "lost", 10)), ["settle connection_lost maybe"]);
});

test("the late reply of a request that timed out at its owner is passed on", () => {
  const forwarding = asked(1_000);
  assert.deepEqual(short(forwarding.onEnd(1, failure("reply_timeout", "maybe"), 1_000)), [
    "settle reply_timeout maybe",
  ]);
  assert.deepEqual(short(forwarding.expire(60_000)), []);
  assert.deepEqual(short(forwarding.onEnd(1, DONE, 60_000)), ["late done"]);
});

test("no late reply comes of an owner that was replaced", () => {
  const forwarding = asked(1_000);
  forwarding.onEnd(1, failure("reply_timeout", "maybe"), 1_000);
  forwarding.onOwner(NEXT, 2_000);
  assert.deepEqual(short(forwarding.expire(2_010 + OVERTAKEN_MS)), ["leave", "late connection_lost maybe"]);
});

test("a stream has no deadline once it has begun, and ends with its owner", () => {
  const forwarding = asked(1_000);
  assert.equal(forwarding.onBegun(1), true);
  assert.deepEqual(short(forwarding.expire(60_000)), []);
  assert.equal(forwarding.owesCallers, false);
  forwarding.onOwner(SELF, 60_000);
  assert.deepEqual(short(forwarding.expire(60_010 + OVERTAKEN_MS)), ["leave", "settle connection_lost maybe"]);
});

test("a caller that leaves is reported to the owner, and its answer is nobody's", () => {
  const forwarding = asked();
  assert.deepEqual(short(forwarding.abandon(1)), ["leave"]);
  assert.deepEqual(short(forwarding.onEnd(1, DONE, 10)), []);
});

test("an exit fails what is held, and waits for what the owner has", () => {
  const forwarding = asked();
  forwarding.onOwner(NONE, 0);
  forwarding.request(2, "m", 10_000, 0);
  assert.deepEqual(short(forwarding.drain()), ["settle shutting_down no"]);
  assert.equal(forwarding.owesCallers, true);
  assert.deepEqual(short(forwarding.request(3, "m", 10_000, 0)), ["settle shutting_down no"]);
  assert.deepEqual(short(forwarding.onEnd(1, "not_owner", 0)), ["settle shutting_down no"]);
});

test("an exit that cannot wait fails what the owner has as perhaps sent", () => {
  const { effects, count } = asked().cancel();
  assert.deepEqual([short(effects), count], [["leave", "settle cancelled maybe"], 1]);
});

/** An input of the model below. `who` picks one of the requests. */
type Step =
  | { readonly type: "request"; readonly ms: number }
  | { readonly type: "owner"; readonly to: "none" | "self" | "other" }
  | { readonly type: "release" | "wait" | "abandon" | "drain" | "cancel"; readonly who: number }
  | { readonly type: "end"; readonly who: number; readonly end: AskEnd };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ type: fc.constant("request" as const), ms: fc.integer({ min: 1, max: 9_000 }) }),
  fc.record({ type: fc.constant("owner" as const), to: fc.constantFrom("none", "self", "other") }),
  fc.record({ type: fc.constantFrom("release", "wait", "wait", "abandon"), who: fc.nat({ max: 9 }) }),
  fc.record({
    type: fc.constant("end" as const),
    who: fc.nat({ max: 9 }),
    end: fc.constantFrom<AskEnd>("not_owner", "nobody", "lost", DONE, failure("reply_timeout", "maybe")),
  }),
);

test("each request ends once, is at one owner at a time, and is never sent again when it may have been", () => {
  const holds = (steps: readonly Step[], waits: readonly number[]) => {
    const forwarding = new Forwarding<string>();
    let now = 0;
    let term = 1;
    let address = "a0";
    /** Requests that are open, and whether an owner, or we, have them. */
    const open = new Map<number, "here" | "away">();
    const ended = new Set<number>();
    const carryOut = (effects: readonly ForwardingEffect<string>[]) => {
      for (const effect of effects) {
        const { seq } = effect;
        if (effect.type === "ask" || effect.type === "own") {
          assert.equal(open.get(seq), "here", `${seq} goes out from ${open.get(seq)}`);
          open.set(seq, "away");
        } else if (effect.type === "settle") {
          assert.ok(open.has(seq) && !ended.has(seq), `${seq} ends twice`);
          const { outcome } = effect;
          const isUnsent = outcome.type === "failed" && outcome.failure.sent === "no";
          if (isUnsent) assert.equal(open.get(seq), "here", `${seq} is not sent, but ${open.get(seq)}`);
          open.delete(seq);
          ended.add(seq);
        } else if (effect.type === "late") assert.ok(ended.has(seq), `${seq} is late before its end`);
      }
    };
    let seq = 0;
    steps.forEach((each, index) => {
      now += waits[index % waits.length] ?? 0;
      const picked = [...open.keys()][("who" in each ? each.who : 0) % Math.max(1, open.size)] ?? 1;
      switch (each.type) {
        case "request":
          open.set(++seq, "here");
          carryOut(forwarding.request(seq, "m", now + each.ms, now));
          break;
        case "owner":
          address = `a${++term}`;
          carryOut(forwarding.onOwner(each.to === "none" ? NONE : { type: each.to, term, address }, now));
          break;
        case "release":
          forwarding.onReleased(address);
          break;
        case "wait":
          now += 1_000 * each.who;
          carryOut(forwarding.expire(now));
          break;
        case "abandon":
          if (open.delete(picked)) carryOut(forwarding.abandon(picked));
          break;
        case "end":
          if (open.get(picked) !== "away") break;
          if (each.end === "not_owner" || each.end === "nobody") open.set(picked, "here");
          carryOut(forwarding.onEnd(picked, each.end, now));
      }
    });
    // Nothing that is not the upstream's to answer is left for longer than it may be.
    carryOut(forwarding.onOwner(NONE, now));
    carryOut(forwarding.expire(now + 60_000));
    carryOut(forwarding.cancel().effects);
  };
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), fc.array(fc.nat({ max: 200 }), { minLength: 1 }), holds));
});
