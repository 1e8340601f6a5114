/** The ownership of one upstream as one member sees it: the newest record, its own term, and its claims. */
import { ageOf, type Instant, type LeaseTimes, newer } from "./lease.ts";
import type {
  OwnedUpstream,
  OwnershipEffect,
  OwnerValue,
  ReleasedUpstream,
  ResignReason,
} from "./ownership-messages.ts";

/** The newest record that is known. */
interface OwnerRecord {
  /** Its revision; 0 if there is none. */
  readonly term: number;
  readonly value: OwnerValue | undefined;
  readonly phase: string;
}

/** Our own term. */
interface HeldTerm {
  term: number;
  readonly address: string;
  /** The newest moment at which something was sent that others have heard, and that told them of this term. */
  from: Instant;
  /** The newest moment at which something was sent that the store has acknowledged. */
  provedAt: Instant;
  /** The lease nearly ended, so that somebody may be taking over: only a new term proves that nobody did. */
  hasFallen: boolean;
}

interface TermClaim {
  readonly address: string;
  readonly at: Instant;
  /** Set for a new term of the upstream that is held already. */
  readonly renews: HeldTerm | undefined;
}

/** The member's state that all its upstreams share. */
export interface Standing {
  readonly now: Instant;
  readonly isConnected: boolean;
  /** True if contact is so fresh that whoever was not heard was not there. */
  readonly isSure: boolean;
  /** Since when silence counts: before, we could not hear. */
  readonly listeningSince: number;
  /** Upstreams that this member owns or is about to. */
  readonly owned: number;
}

export interface Chance {
  /** At least 0, less than 1. */
  unit(): number;
  /** An address that nobody ever had. */
  address(): string;
}

export type OwnerView =
  | { readonly isSelf: true; readonly term: number; readonly address: string }
  | {
      readonly isSelf: false;
      readonly member: string;
      readonly term: number;
      readonly address: string;
      readonly phase: string;
      readonly heardMs: number;
      /** True if it was not heard lately: better wait than ask. */
      readonly isSuspect: boolean;
    };

/** Members that see the same silence claim at different times. */
const PATIENCE_MS = 150;
/** Each upstream that a member owns makes it slower to claim the next, so that they spread. */
const SPREAD_MS = 50;
/** The longest time from one attempt at the message server to the next. */
const REDIAL_MS = 1_500;
/** The longest time without an acknowledged write for an upstream that bears one connection only. */
const UNPROVEN_MS = 15_000;

/** The strain that an upstream bears. */
export interface Bearing {
  /** It bears one connection only: its owner must prove that it can write. */
  readonly isExclusive: boolean;
  /** It bears that its owner goes on without contact to the others, of whom one may become its owner, too. */
  readonly servesAlone: boolean;
}

export class UpstreamOwnership {
  readonly #upstream: string;
  readonly #member: string;
  readonly #times: LeaseTimes;
  readonly #chance: Chance;
  readonly #emit: (effect: OwnershipEffect) => void;
  readonly #bearing: Bearing;
  phase = "";
  #record: OwnerRecord | undefined;
  #learnedAt = Number.NEGATIVE_INFINITY;
  #heardAt = Number.NEGATIVE_INFINITY;
  #patience = 0;
  #held: HeldTerm | undefined;
  #claim: TermClaim | undefined;
  #look: "done" | "due" | "asked" = "due";
  #lookAfter = Number.NEGATIVE_INFINITY;
  /** The next look decides, even if it finds an older revision: the store may have been restored. */
  #lookDecides = false;
  #isLeaving = false;
  #isReleasing = false;
  #released: ReleasedUpstream | undefined;
  /** The contents of the newest beat that named the upstream. */
  #told: {
    readonly term?: number | undefined;
    readonly phase?: string;
    readonly released?: ReleasedUpstream | undefined;
  } = {};

  constructor(
    upstream: string,
    member: string,
    times: LeaseTimes,
    bearing: Bearing,
    chance: Chance,
    emit: (effect: OwnershipEffect) => void,
  ) {
    this.#upstream = upstream;
    this.#member = member;
    this.#times = times;
    this.#bearing = bearing;
    this.#chance = chance;
    this.#emit = emit;
  }

  /** The term to tell others of. */
  get owned(): OwnedUpstream | undefined {
    const { term, address } = this.#held ?? {};
    if (term === undefined || address === undefined) return undefined;
    return { upstream: this.#upstream, term, address, phase: this.phase };
  }

  get released(): ReleasedUpstream | undefined {
    return this.#released;
  }

  /** True if there is something to tell that no beat has told yet. */
  get hasNews(): boolean {
    const { term, phase, released } = this.#told;
    if (this.#held && (this.#held.term !== term || this.phase !== phase)) return true;
    return this.#released !== undefined && this.#released !== released;
  }

  /** Notes that a beat has told all of it. */
  told(): void {
    this.#told = { term: this.#held?.term, phase: this.phase, released: this.#released };
  }

  /** True if this member owns it or may soon. */
  get isWanted(): boolean {
    return this.#held !== undefined || this.#claim !== undefined;
  }

  /** True if it is ours to prove that we can write to the store. */
  get needsProof(): boolean {
    return this.#held !== undefined && this.#bearing.isExclusive;
  }

  mayWrite(now: Instant): boolean {
    const isHeld = this.#held !== undefined && !this.#isLeaving;
    return isHeld && (this.#bearing.servesAlone || this.isSole(now));
  }

  /** True if no other member can own it: what one of them sends here is for the owner. */
  isSole(now: Instant): boolean {
    const held = this.#held;
    if (!held || held.hasFallen || this.#isLeaving) return false;
    return ageOf(held.from, now) < this.#times.lease - this.#times.margin;
  }

  view(now: Instant): OwnerView | undefined {
    if (this.#held) return this.#isLeaving ? undefined : { isSelf: true, ...pick(this.#held) };
    const { value, term, phase } = this.#record ?? {};
    if (term === undefined || phase === undefined || !value || "from" in value) return undefined;
    if (value.member === this.#member) return undefined;
    const heardMs = now.ms - Math.max(this.#heardAt, this.#learnedAt);
    return { isSelf: false, ...value, term, phase, heardMs, isSuspect: heardMs >= this.#times.fresh };
  }

  /** Looks at the record again: changes may have been missed. */
  relook(): void {
    if (this.#look === "done") this.#look = "due";
  }

  /**
   * Ends what was not renewed in time. Comes before every other input: a beat that arrives too late must not renew.
   *
   * @returns true if the fence has fallen
   */
  expire(now: Instant): boolean {
    const held = this.#held;
    if (!held) return false;
    const { lease, margin } = this.#times;
    const age = ageOf(held.from, now);
    const { isExclusive, servesAlone } = this.#bearing;
    if (age >= lease && !servesAlone) this.resign("lease");
    else if (isExclusive && ageOf(held.provedAt, now) >= UNPROVEN_MS) this.resign("unproven");
    else if (age >= lease - margin && !held.hasFallen) {
      held.hasFallen = true;
      return true;
    }
    return false;
  }

  /** Our own beat has come back. */
  echoed({ term }: OwnedUpstream, at: Instant): void {
    if (this.#held?.term === term) this.#held.from = newer(at, this.#held.from);
  }

  proved(at: Instant): void {
    if (this.#held) this.#held.provedAt = newer(at, this.#held.provedAt);
  }

  hearOwner(member: string, { term, address, phase }: OwnedUpstream, now: Instant): void {
    const record = this.#record;
    if (!record || term > record.term) this.#learn({ term, value: { member, address }, phase }, now);
    else if (term === record.term && isBy(record.value, member)) {
      this.#record = { ...record, phase };
      this.#heardAt = now.ms;
    } else if (this.#held || this.#isSilent(now)) this.#doubt(now);
  }

  hearRelease({ term, address }: ReleasedUpstream, now: Instant): void {
    if (term > (this.#record?.term ?? 0)) this.#learn({ term, value: { from: address }, phase: "" }, now);
  }

  found(value: OwnerValue | undefined, revision: number, now: Instant): void {
    const decides = this.#lookDecides;
    this.#look = "done";
    this.#lookDecides = false;
    const known = this.#record;
    if (known && revision < known.term && !decides) return;
    if (known?.term === revision && isSame(known.value, value)) return;
    const held = this.#held;
    const record = { term: revision, value, phase: "" };
    const isNobodys = value === undefined && this.#bearing.servesAlone;
    if (held && (isBy(value, this.#member) || isNobodys)) this.#record = record;
    else if (held && this.#isLeaving && isSame(value, { from: held.address })) this.#onReleased(held, revision, now);
    else this.#learn(record, now);
  }

  lookFailed(now: Instant): void {
    this.#look = "due";
    this.#lookAfter = now.ms + this.#times.beat;
  }

  claimed(outcome: number | "lost" | "unknown", now: Instant): void {
    const claim = this.#claim;
    if (!claim) return;
    this.#claim = undefined;
    if (typeof outcome !== "number") this.#onNotWon(outcome, now);
    else if (outcome > (this.#record?.term ?? 0)) this.#onWon(claim, outcome, now);
  }

  leave(): void {
    this.#isLeaving = true;
  }

  releaseEnded(outcome: number | "lost" | "unknown", now: Instant): void {
    const held = this.#held;
    this.#isReleasing = false;
    if (!held) return;
    if (typeof outcome === "number") this.#onReleased(held, outcome, now);
    else this.#onNotWon(outcome, now);
  }

  resign(why: ResignReason): void {
    const held = this.#held;
    if (!held) return;
    this.#held = undefined;
    this.#emit({ type: "resign", upstream: this.#upstream, address: held.address, why });
  }

  pursue(standing: Standing): void {
    const { now, isConnected, isSure } = standing;
    if (!isConnected || this.#claim || this.#isReleasing) return;
    const { lease, margin } = this.#times;
    if (this.#look === "due" && now.ms >= this.#lookAfter) {
      this.#look = "asked";
      this.#emit({ type: "look", upstream: this.#upstream, withinMs: lease - margin });
    }
    if (this.#isLeaving) this.#release();
    else if (isSure && now.ms >= this.claimDueAt(standing)) this.#makeClaim(now);
  }

  /** Infinity while there is nothing to claim. */
  claimDueAt({ listeningSince, owned }: Standing): number {
    const record = this.#record;
    const never = Number.POSITIVE_INFINITY;
    if (!record || this.#claim || this.#look !== "done") return never;
    if (this.#held) return this.#held.hasFallen ? this.#learnedAt : never;
    // A claim of ours whose outcome we did not learn, or a term that we resigned.
    if (isBy(record.value, this.#member)) return this.#learnedAt;
    const spread = Math.min(owned * SPREAD_MS, this.#times.beat);
    if (!record.value || "from" in record.value) return this.#learnedAt + spread;
    // An owner that serves alone may only be about to dial the message server again.
    const listening = listeningSince + (this.#bearing.servesAlone ? REDIAL_MS : 0);
    const silentSince = Math.max(this.#heardAt, this.#learnedAt, listening);
    return silentSince + this.#times.lease + this.#patience + spread;
  }

  /** The next time at which the lease makes a difference. */
  get fallsAt(): number {
    const held = this.#held;
    if (!held) return Number.POSITIVE_INFINITY;
    const { lease, margin } = this.#times;
    return held.from.ms + (held.hasFallen ? lease : lease - margin);
  }

  #makeClaim(now: Instant): void {
    const address = this.#held?.address ?? this.#chance.address();
    this.#claim = { address, at: now, renews: this.#held };
    this.#released = undefined;
    const { lease, margin } = this.#times;
    const after = this.#record?.term ?? 0;
    this.#emit({ type: "claim", upstream: this.#upstream, after, address, withinMs: lease - margin });
  }

  #onWon({ address, at, renews }: TermClaim, term: number, now: Instant): void {
    this.#record = { term, value: { member: this.#member, address }, phase: "" };
    this.#learnedAt = now.ms;
    const held = this.#held;
    // It was resigned meanwhile, or it took so long that somebody may be taking over: the next claim decides.
    if (held !== renews || ageOf(at, now) >= this.#times.lease - this.#times.margin) return;
    const from = held ? newer(at, held.from) : at;
    this.#held = { term, address, from, provedAt: at, hasFallen: false };
    if (!this.#isLeaving) this.#emit({ type: "own", upstream: this.#upstream, term, address });
  }

  #onNotWon(outcome: "lost" | "unknown", now: Instant): void {
    this.#look = "due";
    this.#lookDecides = true;
    this.#lookAfter = outcome === "lost" ? now.ms : now.ms + this.#times.beat;
    if (outcome === "lost" && !this.#bearing.servesAlone) this.resign("taken");
  }

  #release(): void {
    const held = this.#held;
    if (!held || this.#look !== "done") return;
    this.#isReleasing = true;
    const { lease, margin } = this.#times;
    const after = this.#record?.term ?? held.term;
    this.#emit({ type: "release", upstream: this.#upstream, after, from: held.address, withinMs: lease - margin });
  }

  #onReleased({ address }: HeldTerm, term: number, now: Instant): void {
    this.#held = undefined;
    this.#record = { term, value: { from: address }, phase: "" };
    this.#learnedAt = now.ms;
    this.#released = { upstream: this.#upstream, term, address };
    this.#emit({ type: "released", upstream: this.#upstream, term, address });
  }

  /** Takes over a record that somebody else wrote. */
  #learn(record: OwnerRecord, now: Instant): void {
    this.#record = record;
    this.#learnedAt = now.ms;
    this.#patience = this.#chance.unit() * PATIENCE_MS;
    this.resign("taken");
  }

  #isSilent(now: Instant): boolean {
    return now.ms - Math.max(this.#heardAt, this.#learnedAt) >= this.#times.fresh;
  }

  /** Two members say that they own it, the older term while the newer is silent or ours: the record decides. */
  #doubt(now: Instant): void {
    if (this.#look !== "done") return;
    this.#look = "due";
    this.#lookDecides = true;
    this.#lookAfter = Math.max(now.ms, this.#lookAfter + this.#times.beat);
  }
}

function isBy(value: OwnerValue | undefined, member: string): boolean {
  return value !== undefined && "member" in value && value.member === member;
}

function isSame(a: OwnerValue | undefined, b: OwnerValue | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function pick({ term, address }: HeldTerm): { readonly term: number; readonly address: string } {
  return { term, address };
}
