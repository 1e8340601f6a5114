/** Requests with a key: sent once and with one end, whichever owners they come to and whatever the store loses. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type ClaimAnswer,
  type ClaimEffect,
  type ClaimRecord,
  Claims,
  type ClaimValue,
} from "../../../src/core/cluster/claims.ts";

const FAR = 1_000_000;

function claimsOf(term: number, released: readonly number[] = []): Claims<string> {
  let attempts = 0;
  const attempt = () => `${term}-${++attempts}`;
  return new Claims<string>({ term, attempt, wasReleased: (older) => released.includes(older) });
}

function running(term: number, attempt = "x"): ClaimRecord<string> {
  return { value: { digest: "d", term, attempt }, revision: 7 };
}

function answers(effects: readonly ClaimEffect<string>[]): (readonly [number, ClaimAnswer<string>])[] {
  return effects.flatMap((effect) => (effect.type === "answer" ? [[effect.seq, effect.answer] as const] : []));
}

const LOOK: ClaimEffect<string> = { type: "look", key: "k" };
const CLAIM: ClaimEffect<string> = {
  type: "write",
  key: "k",
  after: 0,
  value: { digest: "d", term: 3, attempt: "3-1" },
};

test("a key is claimed before its message is sent, and its end is stored before it is told", () => {
  const claims = claimsOf(3);
  assert.deepEqual(claims.ask("k", "d", { seq: 1, deadline: FAR }), [CLAIM]);
  assert.deepEqual(claims.written("k", 5, 0), [{ type: "send", key: "k", seq: 1 }]);
  const end = { type: "outcome", outcome: "reply" } as const;
  assert.deepEqual(claims.ended("k", "reply", false, 0), [
    { type: "write", key: "k", after: 5, value: { digest: "d", end } },
  ]);
  assert.deepEqual(answers(claims.written("k", 6, 0)), [[1, end]]);
  assert.equal(claims.size, 0);
});

test("a message that was not sent leaves its key free", () => {
  const claims = claimsOf(3);
  claims.ask("k", "d", { seq: 1, deadline: FAR });
  claims.written("k", 5, 0);
  assert.deepEqual(claims.ended("k", "down", true, 0), [{ type: "write", key: "k", after: 5, value: undefined }]);
  assert.deepEqual(answers(claims.written("k", 6, 0)), [[1, { type: "outcome", outcome: "down" }]]);
});

test("askers with one key and message share its end, and another message is a conflict", () => {
  const claims = claimsOf(3);
  claims.ask("k", "d", { seq: 1, deadline: FAR });
  assert.deepEqual(claims.ask("k", "d", { seq: 2, deadline: FAR }), []);
  assert.deepEqual(answers(claims.ask("k", "other", { seq: 3, deadline: FAR })), [[3, { type: "conflict" }]]);
  assert.deepEqual(claims.written("k", "lost", 0), [LOOK]);
  const stored: ClaimRecord<string> = {
    value: { digest: "d", end: { type: "outcome", outcome: "reply" } },
    revision: 9,
  };
  const told = { type: "outcome", outcome: "reply" };
  assert.deepEqual(answers(claims.found("k", stored, 0)), [
    [1, told],
    [2, told],
  ]);
  claims.ask("k", "other", { seq: 4, deadline: FAR });
  claims.written("k", "lost", 0);
  assert.deepEqual(answers(claims.found("k", stored, 0)), [[4, { type: "conflict" }]]);
});

test("an asker that joined is answered at its own deadline, and the one whose message is sent when it ends", () => {
  const claims = claimsOf(3);
  claims.ask("k", "d", { seq: 1, deadline: 400 });
  claims.ask("k", "d", { seq: 2, deadline: 300 });
  claims.written("k", 5, 0);
  assert.deepEqual(answers(claims.tick(400)), [[2, { type: "undecided" }]]);
  claims.ended("k", "timeout", false, 400);
  assert.deepEqual(answers(claims.written("k", 6, 410)), [[1, { type: "outcome", outcome: "timeout" }]]);
});

test("the claim of an owner that was replaced is ended, not sent again", () => {
  const claims = claimsOf(3);
  claims.ask("k", "d", { seq: 1, deadline: FAR });
  claims.written("k", "lost", 0);
  const mark = { type: "write", key: "k", after: 7, value: { digest: "d", end: { type: "replaced" } } };
  assert.deepEqual(claims.found("k", running(2), 0), [mark]);
  assert.deepEqual(claims.written("k", "lost", 0), [LOOK]);
  assert.deepEqual(claims.found("k", running(2), 0), [mark]);
  assert.deepEqual(answers(claims.written("k", 8, 0)), [[1, { type: "replaced" }]]);
});

test("the claim of an owner that released the upstream is waited for", () => {
  const claims = claimsOf(3, [2]);
  claims.ask("k", "d", { seq: 1, deadline: 1_000 });
  claims.written("k", "lost", 0);
  assert.deepEqual(claims.found("k", running(2), 0), []);
  assert.deepEqual(claims.tick(249), []);
  assert.deepEqual(claims.tick(250), [LOOK]);
  assert.deepEqual(claims.found("k", running(2), 260), []);
  assert.deepEqual(answers(claims.tick(1_000)), [[1, { type: "undecided" }]]);
  assert.equal(claims.size, 0);
});

test("a replaced owner leaves a newer owner's claim alone", () => {
  const claims = claimsOf(3);
  claims.ask("k", "d", { seq: 1, deadline: FAR });
  claims.written("k", "lost", 0);
  assert.deepEqual(answers(claims.found("k", running(4), 0)), [[1, { type: "not_owner" }]]);
});

test("a claim whose acknowledgement is lost is found, and sent once", () => {
  const claims = claimsOf(3);
  claims.ask("k", "d", { seq: 1, deadline: FAR });
  assert.deepEqual(claims.written("k", "unknown", 0), []);
  assert.deepEqual(claims.tick(250), [LOOK]);
  assert.deepEqual(claims.found("k", running(3, "3-1"), 260), [{ type: "send", key: "k", seq: 1 }]);
  assert.deepEqual(claims.found("k", running(3, "3-1"), 270), []);
});

test("a store that does not answer until the deadline has sent nothing", () => {
  const claims = claimsOf(3);
  claims.ask("k", "d", { seq: 1, deadline: 400 });
  claims.written("k", "missed", 0);
  claims.tick(250);
  claims.found("k", "unknown", 300);
  assert.deepEqual(answers(claims.tick(400)), [[1, { type: "unavailable" }]]);
  assert.deepEqual(claims.tick(1_000), []);
  assert.equal(claims.size, 0);
});

test("a store without room for another key has sent nothing, which is told at once", () => {
  const claims = claimsOf(3);
  claims.ask("k", "d", { seq: 1, deadline: FAR });
  assert.deepEqual(answers(claims.written("k", "full", 0)), [[1, { type: "full" }]]);
  assert.equal(claims.size, 0);
  claims.ask("k", "d", { seq: 2, deadline: FAR });
  claims.written("k", 5, 0);
  claims.ended("k", "reply", false, 0);
  assert.deepEqual(claims.written("k", "full", 0), []);
  assert.deepEqual(claims.tick(250), [LOOK]);
});

test("a claim that is won when its asker has left is given back", () => {
  const claims = claimsOf(3);
  claims.ask("k", "d", { seq: 1, deadline: FAR });
  claims.abandon(1);
  assert.deepEqual(claims.written("k", 5, 0), [{ type: "write", key: "k", after: 5, value: undefined }]);
  claims.written("k", 6, 0);
  assert.equal(claims.size, 0);
});

test("a claim that the store may have taken is looked for when nobody asks any more, and given back", () => {
  const claims = claimsOf(3);
  claims.ask("k", "d", { seq: 1, deadline: 100 });
  claims.written("k", "unknown", 0);
  assert.deepEqual(answers(claims.tick(100)), [[1, { type: "unavailable" }]]);
  assert.deepEqual(claims.tick(250), [LOOK]);
  assert.deepEqual(claims.found("k", "unknown", 260), []);
  assert.deepEqual(claims.tick(510), [LOOK]);
  const back = { type: "write", key: "k", after: 7, value: undefined };
  assert.deepEqual(claims.found("k", running(3, "3-1"), 520), [back]);
  claims.written("k", 8, 520);
  assert.equal(claims.size, 0);
});

test("a claim that is not in the store is won and given back, so that one on its way there comes too late", () => {
  const claims = claimsOf(3);
  claims.ask("k", "d", { seq: 1, deadline: 100 });
  claims.written("k", "unknown", 0);
  claims.abandon(1);
  assert.deepEqual(claims.tick(250), [LOOK]);
  assert.deepEqual(claims.found("k", undefined, 260), [CLAIM]);
  assert.deepEqual(claims.written("k", 5, 270), [{ type: "write", key: "k", after: 5, value: undefined }]);
  claims.written("k", 6, 270);
  assert.equal(claims.size, 0);
});

test("a claim is looked for until it is known whose it is, or for as long as an end is offered", () => {
  const claims = claimsOf(3, [2]);
  const doubt = () => {
    claims.ask("k", "d", { seq: 1, deadline: FAR });
    claims.written("k", "unknown", 0);
    claims.abandon(1);
    claims.tick(250);
  };
  doubt();
  claims.found("k", running(2), 260);
  assert.deepEqual([claims.tick(510), claims.size], [[], 0], "another owner has the key");
  doubt();
  claims.found("k", "unknown", 29_900);
  assert.deepEqual([claims.tick(30_150), claims.size], [[], 0]);
});

test("a claim that the store has not taken is forgotten with its last asker", () => {
  const claims = claimsOf(3);
  claims.ask("k", "d", { seq: 1, deadline: FAR });
  claims.written("k", "missed", 0);
  claims.abandon(1);
  assert.deepEqual([claims.tick(250), claims.size], [[], 0]);
});

test("of the claims that nobody asks for a bounded number is looked for", () => {
  const claims = claimsOf(3);
  for (let seq = 1; seq <= 300; seq++) {
    claims.ask(`k${seq}`, "d", { seq, deadline: FAR });
    claims.written(`k${seq}`, "unknown", 0);
    if (seq > 1) claims.abandon(seq);
  }
  assert.equal(claims.tick(250).length, 257);
  assert.equal(claims.size, 257, "the one that somebody asks for does not count");
});

test("a key may be sent from the moment that its message is, or that another claim of it is known", () => {
  const claims = claimsOf(3);
  const may = () => claims.mayBeSent("k");
  claims.ask("k", "d", { seq: 1, deadline: FAR });
  assert.equal(may(), false);
  claims.written("k", 5, 0);
  assert.equal(may(), true);
  claims.ended("k", "reply", false, 0);
  assert.equal(may(), true);
  claims.written("k", 6, 0);
  assert.equal(may(), false);
  claims.ask("k", "d", { seq: 2, deadline: FAR });
  claims.written("k", "lost", 0);
  assert.equal(may(), true);
  claims.ask("l", "d", { seq: 3, deadline: FAR });
  claims.written("l", 7, 0);
  claims.ended("l", "down", true, 0);
  assert.equal(claims.mayBeSent("l"), false, "it is being given back");
});

test("a record that another owner has changed decides the end", () => {
  const claims = claimsOf(3);
  claims.ask("k", "d", { seq: 1, deadline: FAR });
  claims.written("k", 5, 0);
  claims.ended("k", "reply", false, 0);
  assert.deepEqual(claims.written("k", "lost", 0), [LOOK]);
  const replaced: ClaimRecord<string> = { value: { digest: "d", end: { type: "replaced" } }, revision: 6 };
  assert.deepEqual(answers(claims.found("k", replaced, 0)), [[1, { type: "replaced" }]]);
});

test("an end that another message's claim has stored meanwhile is not told", () => {
  const claims = claimsOf(3);
  claims.ask("k", "d", { seq: 1, deadline: FAR });
  claims.written("k", 5, 0);
  claims.ended("k", "reply", false, 0);
  claims.written("k", "lost", 0);
  const others: ClaimRecord<string> = {
    value: { digest: "other", end: { type: "outcome", outcome: "another reply" } },
    revision: 9,
  };
  assert.deepEqual(answers(claims.found("k", others, 0)), [[1, { type: "outcome", outcome: "reply" }]]);
  assert.equal(claims.size, 0);
});

test("an end that the store does not take is told at the deadline, offered again, and given up", () => {
  const claims = claimsOf(3);
  claims.ask("k", "d", { seq: 1, deadline: 400 });
  claims.written("k", 5, 0);
  claims.ended("k", "reply", false, 0);
  claims.written("k", "unknown", 100);
  assert.equal(claims.isStoring, true, "it is offered again");
  assert.deepEqual(claims.tick(350), [LOOK]);
  const [again] = claims.found("k", running(3, "3-1"), 360);
  assert.ok(again?.type === "write" && again.after === 7);
  assert.deepEqual(answers(claims.tick(400)), [[1, { type: "outcome", outcome: "reply" }]]);
  claims.written("k", "unknown", 29_900);
  assert.deepEqual([claims.size, claims.isStoring], [1, true]);
  claims.tick(30_200);
  assert.deepEqual([claims.size, claims.isStoring], [0, false]);
});

type Act =
  | { readonly type: "ask"; readonly owner: number; readonly key: string; readonly digest: string }
  | { readonly type: "store"; readonly at: number; readonly fate: "done" | "unheard" | "late" | "refused" }
  | { readonly type: "end"; readonly at: number; readonly isUnsent: boolean }
  | { readonly type: "replace"; readonly isReleased: boolean }
  | { readonly type: "tick" | "arrive" | "leave" };

const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record<Act & { type: "ask" }>({
        type: fc.constant("ask"),
        owner: fc.nat({ max: 2 }),
        key: fc.constantFrom("k", "l"),
        digest: fc.constantFrom("d", "d", "d", "e"),
      }),
    },
    {
      weight: 8,
      arbitrary: fc.record<Act & { type: "store" }>({
        type: fc.constant("store"),
        at: fc.nat({ max: 5 }),
        fate: fc.constantFrom("done", "done", "done", "unheard", "late", "refused"),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record<Act & { type: "end" }>({
        type: fc.constant("end"),
        at: fc.nat({ max: 3 }),
        isUnsent: fc.boolean(),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record<Act & { type: "replace" }>({ type: fc.constant("replace"), isReleased: fc.boolean() }),
    },
    { weight: 3, arbitrary: fc.constantFrom<Act>({ type: "tick" }, { type: "arrive" }) },
    { weight: 1, arbitrary: fc.constant<Act>({ type: "leave" }) },
  ),
  { maxLength: 120 },
);

interface Owner {
  readonly term: number;
  readonly claims: Claims<string>;
}

/** Owners one after another, none of which knows that it was replaced, and a store that loses and delays. */
class ClaimsWorld {
  readonly sent = new Map<string, number>();
  readonly ends = new Map<string, Set<string>>();
  readonly askers = new Map<number, string>();
  readonly #left = new Set<number>();
  readonly #owners: Owner[] = [];
  readonly #released: number[] = [];
  /** Like a bucket of NATS, it keeps the revisions of what was deleted. */
  readonly #store = new Map<string, { readonly value: ClaimValue<string> | undefined; readonly revision: number }>();
  readonly #calls: { readonly owner: Owner; readonly effect: ClaimEffect<string> & { type: "write" | "look" } }[] = [];
  readonly #late: (() => void)[] = [];
  readonly #sending: { readonly owner: Owner; readonly key: string; readonly seq: number }[] = [];
  #revision = 0;
  #now = 0;
  #seq = 0;

  constructor() {
    this.#replace(false);
  }

  act(act: Act): void {
    this.#now += 100;
    switch (act.type) {
      case "ask":
        this.#ask(act);
        break;
      case "store":
        this.#answerCall(act.at, act.fate);
        break;
      case "end":
        this.#end(act.at, act.isUnsent);
        break;
      case "replace":
        this.#replace(act.isReleased);
        break;
      case "tick":
        for (const owner of this.#owners) this.#run(owner, owner.claims.tick(this.#now));
        break;
      case "leave":
        this.#leave();
        break;
      case "arrive":
        this.#late.shift()?.();
    }
  }

  /** All that is on its way comes to its end, and the store is well. */
  settle(): void {
    for (let round = 0; round < 60; round++) {
      this.act({ type: "arrive" });
      for (const at of [...this.#sending.keys()].reverse()) this.#end(at, false);
      for (const at of [...this.#calls.keys()].reverse()) this.#answerCall(at, "done");
      this.act({ type: "tick" });
    }
  }

  /** The keys that nobody can use: their claims have no end. */
  get claimed(): readonly string[] {
    return [...this.#store].flatMap(([key, { value }]) => (value && !("end" in value) ? [key] : []));
  }

  get open(): number {
    return this.#owners.reduce((total, { claims }) => total + claims.size, 0);
  }

  #ask({ owner: back, key, digest }: Act & { type: "ask" }): void {
    const owner = this.#owners.at(-1 - back) ?? this.#owners[0];
    if (!owner) return;
    const seq = ++this.#seq;
    this.askers.set(seq, key);
    this.#run(owner, owner.claims.ask(key, digest, { seq, deadline: FAR }));
  }

  /** The asker that has waited longest leaves. */
  #leave(): void {
    const [seq] = this.askers.keys();
    if (seq === undefined) return;
    this.askers.delete(seq);
    this.#left.add(seq);
    for (const { claims } of this.#owners) claims.abandon(seq);
  }

  #replace(isReleased: boolean): void {
    const former = this.#owners.at(-1);
    if (former && isReleased) this.#released.push(former.term);
    const term = this.#owners.length + 1;
    this.#owners.push({ term, claims: claimsOf(term, this.#released) });
  }

  #run(owner: Owner, effects: readonly ClaimEffect<string>[]): void {
    for (const effect of effects) {
      if (effect.type === "answer") this.#onAnswer(effect);
      else if (effect.type === "send") this.#sending.push({ owner, key: effect.key, seq: effect.seq });
      else this.#calls.push({ owner, effect });
    }
  }

  #onAnswer({ seq, answer }: ClaimEffect<string> & { type: "answer" }): void {
    assert.ok(!this.#left.has(seq), `asker ${seq} is answered after it left`);
    const key = this.askers.get(seq);
    assert.ok(key !== undefined, `asker ${seq} is answered twice`);
    this.askers.delete(seq);
    if (answer.type !== "outcome" && answer.type !== "replaced") return;
    const end = answer.type === "outcome" ? answer.outcome : answer.type;
    if (end !== "unsent") this.ends.set(key, (this.ends.get(key) ?? new Set()).add(end));
  }

  #end(at: number, isUnsent: boolean): void {
    const [one] = this.#sending.splice(at, 1);
    if (!one) return;
    const { owner, key, seq } = one;
    if (!isUnsent) this.sent.set(key, (this.sent.get(key) ?? 0) + 1);
    this.#run(owner, owner.claims.ended(key, isUnsent ? "unsent" : `reply-${seq}`, isUnsent, this.#now));
  }

  #answerCall(at: number, fate: "done" | "unheard" | "late" | "refused"): void {
    const [call] = this.#calls.splice(at, 1);
    if (!call) return;
    const { owner, effect } = call;
    if (effect.type === "look") {
      const { value, revision = 0 } = this.#store.get(effect.key) ?? {};
      const record = value && { value, revision };
      this.#run(owner, owner.claims.found(effect.key, fate === "done" ? record : "unknown", this.#now));
      return;
    }
    const { key, value, after } = effect;
    if (fate === "late") this.#late.push(() => this.#write(key, value, after));
    // A claim of a key that was deleted follows the revision that this has left.
    const stored = this.#store.get(key);
    const follows = after === 0 && stored && !stored.value ? stored.revision : after;
    const outcome = fate === "done" || fate === "unheard" ? this.#write(key, value, follows) : "unknown";
    this.#run(owner, owner.claims.written(key, fate === "done" ? outcome : "unknown", this.#now));
  }

  #write(key: string, value: ClaimValue<string> | undefined, after: number): number | "lost" {
    if ((this.#store.get(key)?.revision ?? 0) !== after) return "lost";
    const revision = ++this.#revision;
    this.#store.set(key, { value, revision });
    return revision;
  }
}

test("a key is sent once and has one end, with several owners that do not know of each other", () => {
  fc.assert(
    fc.property(acts, (steps) => {
      const world = new ClaimsWorld();
      for (const step of steps) world.act(step);
      world.settle();
      for (const [key, times] of world.sent) assert.equal(times, 1, `${key} was sent ${times} times`);
      for (const [key, ends] of world.ends) assert.equal(ends.size, 1, `${key} ended as ${[...ends].join(" and ")}`);
      assert.equal(world.askers.size, 0, "an asker was not answered");
      assert.equal(world.open, 0);
      assert.deepEqual(world.claimed, [], "keys stay claimed");
    }),
    { numRuns: 1_000 },
  );
});
