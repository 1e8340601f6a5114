/** One member's part in the ownership of its cluster's upstreams, as a pure state machine. */
import { ageOf, type Instant, type LeaseTimes, leaseTimes, newer } from "./lease.ts";
import {
  type Beat,
  type OwnedUpstream,
  type OwnershipEffect,
  type OwnerValue,
  type ReleasedUpstream,
  splitBeat,
} from "./ownership-messages.ts";
import { type Bearing, type Chance, type OwnerView, type Standing, UpstreamOwnership } from "./upstream-ownership.ts";

/** The leases of silence after which a host is gone. */
const GONE_LEASES = 5;

/** Time from one acknowledged write to the next, in milliseconds, while an upstream is held that needs them. */
const PROVE_MS = 5_000;

/**
 * A beat is sent twice each margin and comes back to its sender, too. The owner of an upstream may write until
 * `lease - margin` after it *sent* the newest beat that came back; the others take over `lease` after they *heard* the
 * newest. Nobody hears a beat before it is sent, so the first ends before the second begins, whatever the delay, and
 * however far the clocks are apart.
 *
 * An owner that was not heard for so long that its fence has fallen must claim again before it writes: a beat that
 * comes back late proves only that the others hear it now, not that none of them has taken over meanwhile. Where the
 * upstream bears it, an owner has no fence, and goes on until it hears of a newer one.
 *
 * Every method takes the input's time, and returns effects to be carried out in their order.
 */
export class Ownership {
  readonly #member: string;
  readonly #times: LeaseTimes;
  readonly #chance: Chance;
  readonly #upstreams = new Map<string, UpstreamOwnership>();
  #effects: OwnershipEffect[] = [];
  #connectedAt: Instant | undefined;
  /** The moment when the newest of our beats that came back was sent. */
  #contact: Instant | undefined;
  /** The same, though the contact may be lost since: for people. */
  #lastContact: Instant | undefined;
  /** When each other member was last heard, until its host is gone. */
  readonly #heard = new Map<string, number>();
  #listeningSince = Number.NEGATIVE_INFINITY;
  /** When the newest beat was sent that tells of all upstreams. */
  #beatAt = Number.NEGATIVE_INFINITY;
  #proveAt = Number.NEGATIVE_INFINITY;

  /** @param lease in milliseconds */
  constructor(member: string, lease: number, chance: Chance) {
    this.#member = member;
    this.#times = leaseTimes(lease);
    this.#chance = chance;
  }

  /** True if this member may write to the upstream now. To be asked before each write, and again before it leaves. */
  mayWrite(upstream: string, now: Instant): boolean {
    return this.#upstreams.get(upstream)?.mayWrite(now) === true;
  }

  /** True if no other member can own the upstream now. */
  isSole(upstream: string, now: Instant): boolean {
    return this.#upstreams.get(upstream)?.isSole(now) === true;
  }

  /** The owner to ask; undefined if nobody is known. Ask another member only while {@link isInContact}. */
  ownerOf(upstream: string, now: Instant): OwnerView | undefined {
    return this.#upstreams.get(upstream)?.view(now);
  }

  /** True if a message that is sent now will probably arrive. */
  isInContact(now: Instant): boolean {
    return this.contactAgeMs(now) < this.#times.fresh;
  }

  /** Infinity without contact. */
  contactAgeMs(now: Instant): number {
    return this.#connectedAt && this.#contact ? ageOf(this.#contact, now) : Number.POSITIVE_INFINITY;
  }

  /** Of the last contact, though it may be lost since; Infinity if there was none yet. */
  lastContactAgeMs(now: Instant): number {
    return this.#lastContact ? ageOf(this.#lastContact, now) : Number.POSITIVE_INFINITY;
  }

  /** True if another member was heard within the lease, and so could take over an upstream that we give up. */
  hasOthers(now: Instant): boolean {
    return [...this.#heard.values()].some((heardAt) => now.ms - heardAt < this.#times.lease);
  }

  /**
   * True if a member has not been heard for the lease, though we could hear: it is gone, and will answer nothing.
   * @param since when we heard of it otherwise, by the clock that never goes back
   */
  isSilent(member: string, since: number, now: Instant): boolean {
    if (!this.isInContact(now)) return false;
    const heardAt = this.#heard.get(member) ?? Number.NEGATIVE_INFINITY;
    return now.ms - Math.max(since, heardAt, this.#listeningSince) >= this.#times.lease;
  }

  /**
   * True if a host has been silent for so long that nobody waits for it. Its members' ids begin with its own: each of
   * its threads is one, in its time.
   */
  isHostGone(host: string, now: Instant): boolean {
    if (!this.isInContact(now) || now.ms - this.#listeningSince < this.goneAfterMs) return false;
    return ![...this.#heard].some(
      ([member, heardAt]) => member.startsWith(host) && now.ms - heardAt < this.goneAfterMs,
    );
  }

  /** The silence after which a host is gone: one that has lost the message server may dial it for some time. */
  get goneAfterMs(): number {
    return GONE_LEASES * this.#times.lease;
  }

  add(upstream: string, { isExclusive, servesAlone }: Bearing, now: Instant): readonly OwnershipEffect[] {
    return this.#step(now, () => {
      const emit = (effect: OwnershipEffect) => this.#effects.push(effect);
      const bearing = { isExclusive, servesAlone };
      const one = new UpstreamOwnership(upstream, this.#member, this.#times, bearing, this.#chance, emit);
      this.#upstreams.set(upstream, one);
    });
  }

  /** Forgets an upstream; release it first, or the others wait for the lease to end. */
  remove(upstream: string, now: Instant): readonly OwnershipEffect[] {
    return this.#step(now, () => {
      this.#upstreams.get(upstream)?.resign("removed");
      this.#upstreams.delete(upstream);
    });
  }

  /** @param phase the state of the upstream's connection, for the other members */
  setPhase(upstream: string, phase: string, now: Instant): readonly OwnershipEffect[] {
    return this.#with(upstream, now, (one) => {
      one.phase = phase;
    });
  }

  /** Gives the upstream to another member, and does not claim it again. Nothing may be written from now on. */
  release(upstream: string, now: Instant): readonly OwnershipEffect[] {
    return this.#with(upstream, now, (one) => one.leave());
  }

  /** The client of the message server has a connection. Only a beat that is sent from now on proves contact. */
  connected(now: Instant): readonly OwnershipEffect[] {
    return this.#step(now, () => {
      this.#connectedAt = now;
      this.#beatAt = Number.NEGATIVE_INFINITY;
    });
  }

  disconnected(now: Instant): readonly OwnershipEffect[] {
    return this.#step(now, () => {
      this.#connectedAt = undefined;
      this.#contact = undefined;
    });
  }

  /** A beat of any member, this one too. */
  hear(beat: Beat, now: Instant): readonly OwnershipEffect[] {
    return this.#step(now, () => {
      if (beat.member === this.#member) this.#hearOwn(beat, now);
      else this.#hearOther(beat, now);
    });
  }

  /** Reports the record that `look` found. @param revision 0 if there is none */
  found(upstream: string, value: OwnerValue | undefined, revision: number, now: Instant): readonly OwnershipEffect[] {
    return this.#with(upstream, now, (one) => one.found(value, revision, now));
  }

  lookFailed(upstream: string, now: Instant): readonly OwnershipEffect[] {
    return this.#with(upstream, now, (one) => one.lookFailed(now));
  }

  /** Reports how `claim` ended: the new revision, "lost" to somebody else, or not known in time. */
  claimed(upstream: string, outcome: number | "lost" | "unknown", now: Instant): readonly OwnershipEffect[] {
    return this.#with(upstream, now, (one) => one.claimed(outcome, now));
  }

  /** Reports how `release` ended, in the same terms. */
  released(upstream: string, outcome: number | "lost" | "unknown", now: Instant): readonly OwnershipEffect[] {
    return this.#with(upstream, now, (one) => one.releaseEnded(outcome, now));
  }

  /** The write of `prove` was acknowledged. @param at the effect's */
  proved(at: Instant, now: Instant): readonly OwnershipEffect[] {
    return this.#step(now, () => {
      for (const one of this.#upstreams.values()) one.proved(at);
    });
  }

  tick(now: Instant): readonly OwnershipEffect[] {
    return this.#step(now, () => {});
  }

  #with(upstream: string, now: Instant, input: (one: UpstreamOwnership) => void): readonly OwnershipEffect[] {
    return this.#step(now, () => {
      const one = this.#upstreams.get(upstream);
      if (one) input(one);
    });
  }

  #step(now: Instant, input: () => void): readonly OwnershipEffect[] {
    this.#effects = [];
    for (const [member, heardAt] of this.#heard) if (now.ms - heardAt >= this.goneAfterMs) this.#heard.delete(member);
    let fallen = 0;
    for (const one of this.#upstreams.values()) fallen += Number(one.expire(now));
    input();
    this.#pursue(now);
    this.#beat(now);
    this.#prove(now);
    // After the input of one upstream the others are looked at by a tick: for a fence that fell, at once.
    this.#effects.push({ type: "tick", at: fallen > 0 ? now.ms : this.#nextTick(now) });
    return this.#effects;
  }

  #hearOwn({ at, owned }: Beat, now: Instant): void {
    if (!this.#connectedAt || at.ms < this.#connectedAt.ms) return;
    const wasInContact = this.isInContact(now);
    this.#contact = this.#contact ? newer(at, this.#contact) : at;
    this.#lastContact = this.#contact;
    for (const entry of owned) this.#upstreams.get(entry.upstream)?.echoed(entry, at);
    if (wasInContact || !this.isInContact(now)) return;
    // We were cut off or stopped, and the others' silence was ours.
    this.#listeningSince = now.ms;
    for (const one of this.#upstreams.values()) one.relook();
  }

  #hearOther({ member, owned, released }: Beat, now: Instant): void {
    this.#heard.set(member, now.ms);
    for (const entry of released) this.#upstreams.get(entry.upstream)?.hearRelease(entry, now);
    for (const entry of owned) this.#upstreams.get(entry.upstream)?.hearOwner(member, entry, now);
  }

  /** Each claim counts for those after it. Counted once, since there may be thousands. */
  #pursue(now: Instant): void {
    let standing = this.#standing(now);
    for (const one of this.#upstreams.values()) {
      const { isWanted } = one;
      one.pursue(standing);
      if (one.isWanted !== isWanted) standing = { ...standing, owned: standing.owned + 1 };
    }
  }

  #standing(now: Instant): Standing {
    let owned = 0;
    for (const { isWanted } of this.#upstreams.values()) if (isWanted) owned++;
    return {
      now,
      isConnected: this.#connectedAt !== undefined,
      isSure: this.contactAgeMs(now) < this.#times.sure,
      listeningSince: this.#listeningSince,
      owned,
    };
  }

  /**
   * Beats in time of all upstreams, and at once of those that have news: a beat that does not name an upstream says
   * nothing of it. With all of them in each, the start of many would be quadratic.
   */
  #beat(now: Instant): void {
    if (!this.#connectedAt) return;
    const isDue = now.ms >= this.#beatAt + this.#times.beat;
    const owned: OwnedUpstream[] = [];
    const released: ReleasedUpstream[] = [];
    for (const one of this.#upstreams.values()) {
      if (!isDue && !one.hasNews) continue;
      if (one.owned) owned.push(one.owned);
      if (one.released) released.push(one.released);
      one.told();
    }
    if (isDue) this.#beatAt = now.ms;
    else if (owned.length + released.length === 0) return;
    const beats = splitBeat({ member: this.#member, at: now, owned, released });
    for (const beat of beats) this.#effects.push({ type: "beat", beat });
  }

  #prove(now: Instant): void {
    const isNeeded = [...this.#upstreams.values()].some(({ needsProof }) => needsProof);
    if (!isNeeded || !this.#connectedAt || now.ms < this.#proveAt + PROVE_MS) return;
    this.#proveAt = now.ms;
    this.#effects.push({ type: "prove", at: now, withinMs: PROVE_MS });
  }

  /** At least once each beat: the wall clock may end a lease, and nobody can wait for that. */
  #nextTick(now: Instant): number {
    const standing = this.#standing(now);
    const { beat } = this.#times;
    let next = now.ms + beat;
    if (this.#connectedAt) next = Math.min(next, this.#beatAt + beat);
    for (const one of this.#upstreams.values())
      for (const at of [one.claimDueAt(standing), one.fallsAt]) if (at > now.ms) next = Math.min(next, at);
    return next;
  }
}
