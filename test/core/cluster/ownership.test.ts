/** One member's ownership: contact, lease and fence, claims, release, and what it makes of others' beats. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { encodeBeat } from "../../../src/cluster/member-messages.ts";
import type { Instant } from "../../../src/core/cluster/lease.ts";
import { Ownership } from "../../../src/core/cluster/ownership.ts";
import { BEAT_MAX, type Beat, type OwnershipEffect, splitBeat } from "../../../src/core/cluster/ownership-messages.ts";

const LEASE_MS = 3_000;
const SHARED = { isExclusive: false, servesAlone: false };

/** A member on clocks that the test sets, and on a store that the test is. */
class Member {
  readonly ownership: Ownership;
  effects: OwnershipEffect[] = [];
  ms = 0;
  wallMs = 1e12;
  #addresses = 0;

  constructor(unit = 0) {
    this.ownership = new Ownership("me", LEASE_MS, {
      unit: () => unit,
      address: () => `address-${++this.#addresses}`,
    });
  }

  get now(): Instant {
    return { ms: this.ms, wallMs: this.wallMs };
  }

  get beats(): Beat[] {
    return this.effects.flatMap((effect) => (effect.type === "beat" ? [effect.beat] : []));
  }

  take(effects: readonly OwnershipEffect[]): OwnershipEffect[] {
    this.effects.push(...effects);
    return effects.filter(({ type }) => type !== "tick" && type !== "beat");
  }

  /** Lets time pass; every beat comes back at once while `isEchoed`. */
  pass(ms: number, isEchoed = true): OwnershipEffect[] {
    const until = this.ms + ms;
    const seen: OwnershipEffect[] = [];
    while (this.ms < until) {
      this.ms = Math.min(until, this.ms + 10);
      this.wallMs += 10;
      seen.push(...this.#run(this.ownership.tick(this.now), isEchoed));
    }
    return seen;
  }

  connect(isEchoed = true): OwnershipEffect[] {
    return this.#run(this.ownership.connected(this.now), isEchoed);
  }

  #run(effects: readonly OwnershipEffect[], isEchoed: boolean): OwnershipEffect[] {
    const seen = this.take(effects);
    for (const effect of effects) {
      if (effect.type === "beat" && isEchoed) seen.push(...this.#run(this.ownership.hear(effect.beat, this.now), true));
    }
    return seen;
  }

  /** Hears another member that owns the upstream. */
  hearOwner(term: number, member = "other"): OwnershipEffect[] {
    const owned = [{ upstream: "u", term, address: `${member}-${term}`, phase: "ready" }];
    return this.take(this.ownership.hear({ member, at: { ms: 0, wallMs: 0 }, owned, released: [] }, this.now));
  }

  hearRelease(term: number, member = "other"): OwnershipEffect[] {
    const released = [{ upstream: "u", term, address: `${member}-old` }];
    return this.take(this.ownership.hear({ member, at: { ms: 0, wallMs: 0 }, owned: [], released }, this.now));
  }
}

function types(effects: readonly OwnershipEffect[]): string[] {
  return effects.map(({ type }) => type);
}

/** A member in contact that has looked up that nobody owns the upstream, and has won it with term 1. */
function owner(): Member {
  const member = new Member();
  member.take(member.ownership.add("u", SHARED, member.now));
  member.connect();
  member.take(member.ownership.found("u", undefined, 0, member.now));
  assert.deepEqual(types(member.take(member.ownership.claimed("u", 1, member.now))), ["own"]);
  member.pass(600);
  return member;
}

/** A member in contact that follows `other`, which owns the upstream in term 7. */
function follower(unit = 0): Member {
  const member = new Member(unit);
  member.take(member.ownership.add("u", SHARED, member.now));
  member.connect();
  member.take(member.ownership.found("u", { member: "other", address: "other-7" }, 7, member.now));
  return member;
}

test("a member looks at the record once it is connected, and claims it if nobody has it", () => {
  const member = new Member();
  assert.deepEqual(types(member.take(member.ownership.add("u", SHARED, member.now))), []);
  assert.deepEqual(types(member.connect()), ["look"]);
  const [claim] = member.take(member.ownership.found("u", undefined, 0, member.now));
  assert.deepEqual(claim, { type: "claim", upstream: "u", after: 0, address: "address-1", withinMs: 2_000 });
  assert.equal(member.ownership.mayWrite("u", member.now), false);
  const [own] = member.take(member.ownership.claimed("u", 4, member.now));
  assert.deepEqual(own, { type: "own", upstream: "u", term: 4, address: "address-1" });
  assert.equal(member.ownership.mayWrite("u", member.now), true);
  assert.deepEqual(member.beats.at(-1)?.owned, [{ upstream: "u", term: 4, address: "address-1", phase: "" }]);
});

test("an owner writes until the margin before its lease ends, and breaks its socket when it ends", () => {
  const member = owner();
  const [sent] = member.beats.slice(-1);
  assert.ok(sent);
  member.ms = sent.at.ms;
  member.wallMs = sent.at.wallMs;
  const allowed = (ms: number) => member.ownership.mayWrite("u", { ms: member.ms + ms, wallMs: member.wallMs + ms });
  assert.equal(allowed(1_990), true);
  assert.equal(allowed(2_000), false);
  assert.deepEqual(types(member.pass(2_990, false)), []);
  assert.deepEqual(types(member.pass(10, false)), ["resign"]);
});

test("a lease ends by the wall clock, too: the other stands still while a machine is suspended", () => {
  const member = owner();
  member.wallMs += 2_500;
  assert.equal(member.ownership.mayWrite("u", member.now), false);
  member.wallMs += 1_000;
  const [resign] = member.take(member.ownership.tick(member.now));
  assert.deepEqual(resign, { type: "resign", upstream: "u", address: "address-1", why: "lease" });
});

test("a beat that comes back when the lease is over renews nothing", () => {
  const member = owner();
  member.ms += 20_000;
  member.wallMs += 20_000;
  const late: Beat = { ...(member.beats.at(-1) as Beat), at: member.now };
  assert.deepEqual(types(member.take(member.ownership.hear(late, member.now))).slice(0, 1), ["resign"]);
  assert.equal(member.ownership.mayWrite("u", member.now), false);
});

/** An owner whose beats did not come back for so long that its fence has fallen, and that asks for a new term. */
function fallen(): Member {
  const member = owner();
  member.pass(2_100, false);
  assert.equal(member.ownership.mayWrite("u", member.now), false);
  assert.deepEqual(types(member.pass(500)), ["look"]);
  assert.equal(member.ownership.mayWrite("u", member.now), false);
  const record = { member: "me", address: "address-1" };
  const claims = member.take(member.ownership.found("u", record, 1, member.now));
  assert.deepEqual(claims, [{ type: "claim", upstream: "u", after: 1, address: "address-1", withinMs: 2_000 }]);
  return member;
}

test("an owner whose fence has fallen writes again only in a new term", () => {
  const member = fallen();
  assert.equal(member.ownership.mayWrite("u", member.now), false);
  const [own] = member.take(member.ownership.claimed("u", 2, member.now));
  assert.deepEqual(own, { type: "own", upstream: "u", term: 2, address: "address-1" });
  assert.equal(member.ownership.mayWrite("u", member.now), true);
});

test("an owner that loses its new term breaks its socket", () => {
  const member = fallen();
  assert.deepEqual(types(member.take(member.ownership.claimed("u", "lost", member.now))), ["resign", "look"]);
});

test("a beat that tells of an older term does not renew the newer one", () => {
  const member = fallen();
  const beat = member.beats.at(-1) as Beat;
  member.take(member.ownership.claimed("u", 2, member.now));
  member.pass(1_900, false);
  member.take(member.ownership.hear({ ...beat, at: member.now }, member.now));
  member.pass(100, false);
  assert.equal(member.ownership.mayWrite("u", member.now), false);
});

test("a new term that is won after the old one was left is claimed again, at an address of its own", () => {
  const member = fallen();
  assert.deepEqual(types(member.hearOwner(2)), ["resign"]);
  const claims = member.take(member.ownership.claimed("u", 3, member.now));
  assert.deepEqual(claims, [{ type: "claim", upstream: "u", after: 3, address: "address-2", withinMs: 2_000 }]);
});

test("a claim that is won when its lease would be over is made again", () => {
  const member = follower();
  member.hearRelease(8);
  member.pass(1_990);
  const effects = member.take(member.ownership.claimed("u", 9, member.now));
  assert.deepEqual(types(effects), ["own"]);
  const late = follower();
  late.hearRelease(8);
  late.pass(2_000);
  assert.deepEqual(types(late.take(late.ownership.claimed("u", 9, late.now))), ["claim"]);
});

test("an owner that hears of a newer term breaks its socket, and one that hears of an older term asks", () => {
  const newer = owner();
  assert.deepEqual(newer.hearOwner(2), [{ type: "resign", upstream: "u", address: "address-1", why: "taken" }]);
  const older = owner();
  assert.deepEqual(types(older.hearOwner(0)), ["look"]);
  // The store was restored, and the other has the record.
  const found = older.take(older.ownership.found("u", { member: "other", address: "a" }, 0, older.now));
  assert.deepEqual(types(found), ["resign"]);
});

test("a follower replaces an owner that it has not heard for the lease, and not before", () => {
  const member = follower(0.5);
  assert.deepEqual(types(member.pass(400)), []);
  member.hearOwner(7);
  assert.deepEqual(types(member.pass(3_060)), []);
  const claims = member.pass(30);
  assert.deepEqual(claims, [{ type: "claim", upstream: "u", after: 7, address: "address-1", withinMs: 2_000 }]);
});

test("a follower that was itself without contact counts the others' silence from then on", () => {
  const member = follower();
  member.take(member.ownership.disconnected(member.now));
  member.pass(10_000);
  assert.deepEqual(types(member.connect()), ["look"]);
  member.take(member.ownership.found("u", { member: "other", address: "other-7" }, 7, member.now));
  assert.deepEqual(types(member.pass(2_990)), []);
  assert.deepEqual(types(member.pass(20)), ["claim"]);
});

test("a follower that was itself stopped counts the others' silence from then on", () => {
  const member = follower();
  member.pass(100);
  member.ms += 10_000;
  member.wallMs += 10_000;
  assert.deepEqual(types(member.pass(10)), ["look"]);
  member.take(member.ownership.found("u", { member: "other", address: "other-7" }, 7, member.now));
  assert.deepEqual(types(member.pass(2_990)), []);
  assert.deepEqual(types(member.pass(10)), ["claim"]);
});

test("a follower without sure contact does not claim", () => {
  const member = follower();
  member.pass(100);
  assert.deepEqual(types(member.pass(3_500, false)), []);
});

test("a released record is claimed at once", () => {
  const member = follower();
  member.pass(100);
  const claim = { type: "claim", upstream: "u", after: 8, address: "address-1", withinMs: 2_000 };
  assert.deepEqual(member.hearRelease(8), [claim]);
});

test("a member that owns others is slower to claim", () => {
  const member = owner();
  member.take(member.ownership.add("v", SHARED, member.now));
  assert.deepEqual(types(member.take(member.ownership.found("v", undefined, 0, member.now))), []);
  assert.deepEqual(types(member.pass(40)), []);
  assert.deepEqual(types(member.pass(10)), ["claim"]);
});

test("a release writes nothing any more, and tells the others", () => {
  const member = owner();
  const [release] = member.take(member.ownership.release("u", member.now));
  assert.deepEqual(release, { type: "release", upstream: "u", after: 1, from: "address-1", withinMs: 2_000 });
  assert.equal(member.ownership.mayWrite("u", member.now), false);
  const released = { upstream: "u", term: 2, address: "address-1" };
  assert.deepEqual(member.take(member.ownership.released("u", 2, member.now)), [{ type: "released", ...released }]);
  assert.deepEqual(member.beats.at(-1)?.released, [released]);
  assert.deepEqual(types(member.pass(10_000)), []);
});

test("a release whose acknowledgement is lost is found in the record", () => {
  const member = owner();
  member.take(member.ownership.release("u", member.now));
  member.take(member.ownership.released("u", "unknown", member.now));
  assert.deepEqual(types(member.pass(500)), ["look"]);
  const effects = member.take(member.ownership.found("u", { from: "address-1" }, 2, member.now));
  assert.deepEqual(types(effects), ["released"]);
});

test("a claim whose acknowledgement is lost is made again after it is found", () => {
  const member = follower();
  member.hearRelease(8);
  member.take(member.ownership.claimed("u", "unknown", member.now));
  assert.deepEqual(types(member.pass(490)), []);
  assert.deepEqual(types(member.pass(10)), ["look"]);
  const effects = member.take(member.ownership.found("u", { member: "me", address: "address-1" }, 9, member.now));
  assert.deepEqual(effects, [{ type: "claim", upstream: "u", after: 9, address: "address-2", withinMs: 2_000 }]);
});

test("an owner of an exclusive upstream that cannot prove its writes resigns", () => {
  const member = new Member();
  member.take(member.ownership.add("u", { ...SHARED, isExclusive: true }, member.now));
  member.connect();
  member.take(member.ownership.found("u", undefined, 0, member.now));
  const claimedAt = member.now;
  const proofs = member.take(member.ownership.claimed("u", 1, member.now));
  assert.deepEqual(types(proofs), ["own", "prove"]);
  assert.deepEqual(types(member.pass(14_990)), ["prove", "prove"]);
  member.take(member.ownership.proved({ ms: claimedAt.ms + 10_000, wallMs: claimedAt.wallMs + 10_000 }, member.now));
  assert.deepEqual(types(member.pass(9_990)), ["prove", "prove"]);
  const [resign] = member.pass(20);
  assert.deepEqual(resign, { type: "resign", upstream: "u", address: "address-1", why: "unproven" });
});

test("an owner that serves alone goes on without contact, claims again with it, and hears of a newer one", () => {
  const alone = () => {
    const member = new Member();
    member.take(member.ownership.add("u", { ...SHARED, servesAlone: true }, member.now));
    member.connect();
    member.take(member.ownership.found("u", undefined, 0, member.now));
    member.take(member.ownership.claimed("u", 1, member.now));
    member.take(member.ownership.disconnected(member.now));
    assert.deepEqual(types(member.pass(5 * LEASE_MS, false)), []);
    assert.equal(member.ownership.mayWrite("u", member.now), true);
    assert.equal(member.ownership.ownerOf("u", member.now)?.isSelf, true);
    return member;
  };
  const back = alone();
  assert.deepEqual(types(back.connect()), ["look"]);
  const found = back.ownership.found("u", { member: "me", address: "address-1" }, 1, back.now);
  const [claim] = back.take(found);
  assert.deepEqual(claim, { type: "claim", upstream: "u", after: 1, address: "address-1", withinMs: 2_000 });
  assert.deepEqual(types(back.take(back.ownership.claimed("u", 2, back.now))), ["own"]);
  assert.equal(back.ownership.mayWrite("u", back.now), true);

  const replaced = alone();
  replaced.connect();
  const [resign] = replaced.hearOwner(2);
  assert.deepEqual(resign, { type: "resign", upstream: "u", address: "address-1", why: "taken" });
  assert.equal(replaced.ownership.mayWrite("u", replaced.now), false);

  const leaving = alone();
  leaving.take(leaving.ownership.release("u", leaving.now));
  assert.equal(leaving.ownership.mayWrite("u", leaving.now), false);
});

test("the owner to ask is the newest that was heard of, and suspect if it is silent", () => {
  const member = follower();
  const view = () => member.ownership.ownerOf("u", member.now);
  const other = { isSelf: false, member: "other", phase: "ready", heardMs: 0, isSuspect: false };
  member.hearOwner(8);
  assert.deepEqual(view(), { ...other, term: 8, address: "other-8" });
  member.hearOwner(7, "zombie");
  assert.deepEqual(view(), { ...other, term: 8, address: "other-8" });
  member.pass(1_250);
  assert.deepEqual(view(), { ...other, term: 8, address: "other-8", heardMs: 1_250, isSuspect: true });
  member.hearRelease(9);
  assert.equal(view(), undefined);
});

test("contact needs the client's word and a beat that was sent since", () => {
  const member = new Member();
  assert.equal(member.ownership.isInContact(member.now), false);
  member.connect(false);
  assert.equal(member.ownership.isInContact(member.now), false);
  const old = member.beats.at(-1) as Beat;
  member.take(member.ownership.hear(old, member.now));
  assert.equal(member.ownership.isInContact(member.now), true);
  member.take(member.ownership.disconnected(member.now));
  assert.equal(member.ownership.isInContact(member.now), false);
  member.ms += 10;
  member.connect(false);
  member.take(member.ownership.hear(old, member.now));
  assert.equal(member.ownership.isInContact(member.now), false);
});

test("the age of the last contact grows while there is none, though it counts for nothing then", () => {
  const member = owner();
  assert.ok(member.ownership.lastContactAgeMs(member.now) <= 500);
  member.take(member.ownership.disconnected(member.now));
  assert.equal(member.ownership.isInContact(member.now), false);
  member.pass(5_000, false);
  assert.ok(member.ownership.lastContactAgeMs(member.now) >= 5_000);
  member.connect(false);
  assert.equal(member.ownership.contactAgeMs(member.now), Number.POSITIVE_INFINITY);
  member.connect();
  assert.equal(member.ownership.lastContactAgeMs(member.now), 0);
});

test("a member knows for the lease that there is another", () => {
  const member = owner();
  assert.equal(member.ownership.hasOthers(member.now), false);
  member.hearRelease(0);
  assert.equal(member.ownership.hasOthers(member.now), true);
  member.pass(LEASE_MS);
  assert.equal(member.ownership.hasOthers(member.now), false);
});

test("a member is silent after a lease without a beat, counted from when we could hear", () => {
  const member = owner();
  const heard = () => member.hearRelease(0);
  const since = member.now.ms;
  const isSilent = (from = since) => member.ownership.isSilent("other", from, member.now);
  heard();
  member.pass(LEASE_MS - 10);
  assert.equal(isSilent(), false);
  member.pass(10);
  assert.equal(isSilent(), true);
  assert.equal(isSilent(member.now.ms - 10), false, "it has asked since");
  heard();
  assert.equal(isSilent(), false);
  // Our own process stands still for long, and the others cannot be heard.
  member.pass(2 * LEASE_MS, false);
  assert.equal(isSilent(), false, "without contact");
  member.connect();
  assert.equal(isSilent(), false, "we hear again only now");
  member.pass(LEASE_MS);
  assert.equal(isSilent(), true);
});

test("a host is gone after five leases without a beat of any of its members", () => {
  const member = owner();
  const isGone = (host = "oth") => member.ownership.isHostGone(host, member.now);
  assert.equal(isGone(), false, "we have not listened for long");
  member.pass(5 * LEASE_MS);
  assert.equal(isGone(), true);
  member.hearRelease(0);
  assert.deepEqual([isGone(), isGone("xoth")], [false, true]);
  member.pass(5 * LEASE_MS - 10);
  assert.equal(isGone(), false);
  assert.equal(member.ownership.hasOthers(member.now), false);
  member.pass(10);
  assert.equal(isGone(), true);
  member.pass(2 * LEASE_MS, false);
  assert.equal(isGone(), false, "without contact");
});

test("alone, an owner that serves answers no other member, and loses nothing to a store that was lost", () => {
  const member = new Member();
  const isSole = () => member.ownership.isSole("u", member.now);
  member.take(member.ownership.add("u", { ...SHARED, servesAlone: true }, member.now));
  member.connect();
  member.take(member.ownership.found("u", undefined, 0, member.now));
  member.take(member.ownership.claimed("u", 4, member.now));
  assert.equal(isSole(), true);
  member.take(member.ownership.disconnected(member.now));
  member.pass(2 * LEASE_MS, false);
  assert.deepEqual([isSole(), member.ownership.mayWrite("u", member.now)], [false, true]);
  member.connect();
  member.take(member.ownership.found("u", { member: "me", address: "address-1" }, 4, member.now));
  assert.deepEqual(types(member.take(member.ownership.claimed("u", "lost", member.now))), ["look"]);
  const [claim] = member.take(member.ownership.found("u", undefined, 0, member.now));
  assert.deepEqual(claim, { type: "claim", upstream: "u", after: 0, address: "address-1", withinMs: 2_000 });
  member.take(member.ownership.claimed("u", 1, member.now));
  assert.equal(isSole(), true);
});

test("the others wait for an owner that serves alone until it may have dialled again", () => {
  for (const servesAlone of [false, true]) {
    const member = new Member();
    member.take(member.ownership.add("u", { ...SHARED, servesAlone }, member.now));
    member.connect();
    member.take(member.ownership.found("u", { member: "other", address: "other-1" }, 1, member.now));
    assert.equal(types(member.pass(LEASE_MS + 100)).includes("claim"), !servesAlone);
    assert.equal(types(member.pass(1_500)).includes("claim"), servesAlone);
  }
});

/** A member that owns u in term 1 and v in term 2. */
function ownerOfTwo(): Member {
  const member = owner();
  member.take(member.ownership.add("v", SHARED, member.now));
  member.take(member.ownership.found("v", undefined, 0, member.now));
  assert.deepEqual(types(member.pass(100)), ["claim"]);
  member.take(member.ownership.claimed("v", 2, member.now));
  return member;
}

test("news of an upstream is told at once and alone, and all upstreams with the next beat", () => {
  const member = ownerOfTwo();
  const u = { upstream: "u", term: 1, address: "address-1", phase: "" };
  const v = { upstream: "v", term: 2, address: "address-2", phase: "" };
  assert.deepEqual(member.beats.at(-1)?.owned, [v]);
  const told = member.beats.length;
  member.take(member.ownership.setPhase("u", "ready", member.now));
  assert.deepEqual(member.beats.at(-1)?.owned, [{ ...u, phase: "ready" }]);
  member.take(member.ownership.setPhase("u", "ready", member.now));
  assert.equal(member.beats.length, told + 1);
  member.pass(LEASE_MS / 6);
  assert.deepEqual(member.beats.at(-1)?.owned, [{ ...u, phase: "ready" }, v]);
});

test("a member of very many upstreams tells of them in several beats, and each renews what it names", () => {
  const member = owner();
  const names = Array.from({ length: BEAT_MAX }, (_, n) => String(n));
  for (const name of names) {
    member.take(member.ownership.add(name, SHARED, member.now));
    member.take(member.ownership.found(name, undefined, 0, member.now));
  }
  assert.equal(member.pass(LEASE_MS / 6).length, names.length, "claims");
  for (const name of names) member.take(member.ownership.claimed(name, 2, member.now));
  member.effects = [];
  member.pass(LEASE_MS / 6);
  const told = member.beats.flatMap(({ owned }) => owned.map(({ upstream }) => upstream));
  assert.deepEqual([...new Set(told)].sort(), ["u", ...names].sort());
  assert.ok(member.beats.every(({ owned }) => owned.length <= BEAT_MAX));
  member.pass(LEASE_MS);
  assert.deepEqual(
    ["u", ...names].filter((name) => !member.ownership.mayWrite(name, member.now)),
    [],
  );
});

test("a beat of as many upstreams as it may have is shorter than a message may be", () => {
  const all = Array.from({ length: 2 * BEAT_MAX + 1 }, (_, n) => {
    const upstream = String(n).padEnd(64, "x");
    return { upstream, term: 2 ** 47, address: randomBytes(16).toString("base64url"), phase: "connecting" };
  });
  const beat = { member: randomBytes(16).toString("base64url"), at: { ms: 1e9 / 3, wallMs: 1.8e12 } };
  const parts = splitBeat({ ...beat, owned: all.slice(0, BEAT_MAX), released: all });
  assert.equal(parts.length, 3);
  assert.deepEqual(
    parts.flatMap(({ owned }) => owned),
    all.slice(0, BEAT_MAX),
  );
  assert.deepEqual(
    parts.flatMap(({ released }) => released),
    all,
  );
  for (const part of parts) assert.ok(encodeBeat(part).length < 1024 * 1024);
  assert.deepEqual(splitBeat({ ...beat, owned: [], released: [] }), [{ ...beat, owned: [], released: [] }]);
});

test("news does not postpone the beat that renews the other upstreams", () => {
  const member = ownerOfTwo();
  for (let round = 0; round < 100; round++) {
    member.pass(100);
    member.take(member.ownership.setPhase("u", `phase ${round}`, member.now));
    assert.ok(member.ownership.mayWrite("v", member.now), `round ${round}`);
  }
});

test("the claims of one moment count for each other", () => {
  const member = follower();
  member.take(member.ownership.add("v", SHARED, member.now));
  member.take(member.ownership.found("v", { member: "other", address: "other-8" }, 8, member.now));
  assert.deepEqual(types(member.pass(LEASE_MS)), ["claim"]);
  assert.deepEqual(types(member.pass(40)), []);
  assert.deepEqual(types(member.pass(20)), ["claim"]);
});

test("a fence that falls asks for a tick at once, whatever the input was", () => {
  const member = owner();
  member.pass(1_900, false);
  const ticks = () => member.effects.flatMap((effect) => (effect.type === "tick" ? [effect.at] : []));
  for (let round = 0; round < 20 && ticks().at(-1) !== member.ms; round++) {
    member.ms += 10;
    member.wallMs += 10;
    const idle: Beat = { member: "other", at: { ms: 0, wallMs: 0 }, owned: [], released: [] };
    member.take(member.ownership.hear(idle, member.now));
  }
  assert.equal(ticks().at(-1), member.ms);
  assert.equal(member.ownership.mayWrite("u", member.now), false);
});
