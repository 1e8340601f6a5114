/** A member of a cluster: a thread that shares the ownership of its upstreams with the threads of other replicas. */

import { randomBytes } from "node:crypto";
import pTimeout from "p-timeout";
import type { Bucket, Engine, EngineEvents, TakeRequest } from "../../cluster/engine.ts";
import { engineSettings } from "../../cluster/engine-settings.ts";
import { decodeBeat, decodeOwner, encodeBeat, encodeOwner } from "../../cluster/member-messages.ts";
import type { Destination } from "../../core/cluster/forwarding.ts";
import { ageOf, type Instant } from "../../core/cluster/lease.ts";
import { Ownership } from "../../core/cluster/ownership.ts";
import type { Beat, OwnershipEffect, OwnerValue } from "../../core/cluster/ownership-messages.ts";
import { ReadPlaces } from "../../core/cluster/read-places.ts";
import type { Bearing, OwnerView } from "../../core/cluster/upstream-ownership.ts";
import type { ThreadCluster } from "../contract.ts";

/** The part of an upstream that its member knows. */
export interface MemberUpstream extends Bearing {
  /** Answers the requests of other members. */
  readonly take: TakeRequest;
  /** This member owns the upstream from now on, or goes on to. */
  own(): void;
  /** Another member may own it: its connection must be broken. */
  resign(why: string): void;
  /** Answers may have been lost, in both directions. */
  contactLost(): void;
  /** The owner at this address, a member, has given it up by itself, and answers what it has. */
  released(address: string, member: string): void;
  /** Something may have changed: the owner, what it says of itself, or our contact with the cluster. */
  look(): void;
  /** A mistake in the configuration of the cluster, which ends the start. */
  fail(detail: string): void;
}

export interface MemberEnvironment {
  now(): number;
  /** A text for the log alone: news, or a fault. */
  report(event: "clustered" | "cluster_fault", text: string): void;
}

const RESIGNED = {
  lease: "the lease ended: this replica was not heard by the others in time",
  taken: "another replica owns the upstream",
  unproven: "this replica could not write to the cluster's store",
  removed: "the upstream was removed",
} as const;

const REFUSED_PAUSE_MS = 5_000;
const OWNERS: Bucket = "owner";
/** The longest request or answer, in bytes: far above what `limits` allow in practice. */
const MESSAGE_BYTES = 128 * 1024 * 1024;

export class ClusterMember {
  readonly #engine: Engine;
  readonly #env: MemberEnvironment;
  readonly #id: string;
  readonly #ownership: Ownership;
  readonly #upstreams = new Map<string, MemberUpstream>();
  readonly #startedAt: Instant;
  /** From one attempt to the next at a cluster that refuses us. */
  readonly #pauseMs: number;
  /** By address, the functions that stop answering there. */
  readonly #answering = new Map<string, () => void>();
  /** Writes that must not be cut off by the end of the thread. */
  readonly #writes = new Set<Promise<void>>();
  /** The reads of logs that may be on their way beside one of each. */
  readonly readPlaces = new ReadPlaces();
  #names = 0;
  /** When every upstream is to be looked at: a step in between must not put that off. */
  #allDueAt = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #hasEnded = false;
  #reported: string | undefined;
  /** Why the cluster refuses us. */
  #refusal: string | undefined;

  constructor(id: string, lease: number, engine: Engine, env: MemberEnvironment) {
    this.#id = id;
    this.#engine = engine;
    this.#env = env;
    this.#startedAt = this.#now;
    this.#pauseMs = Math.min(lease, REFUSED_PAUSE_MS);
    const chance = { unit: Math.random, address: randomName };
    this.#ownership = new Ownership(id, lease, chance);
  }

  /**
   * Connects, and goes on trying.
   *
   * @param keepsTrying after a mistake of configuration, too, which otherwise fails every upstream
   */
  start(keepsTrying: boolean): void {
    this.#engine.onBeat((bytes) => this.#hear(bytes));
    const events = {
      contact: (isThere: boolean) => {
        if (isThere) this.#refusal = undefined;
        if (isThere) this.#report("the cluster's message server is there", "clustered");
        else this.#report("the cluster's message server is lost");
        this.#carryOut(isThere ? this.#ownership.connected(this.#now) : this.#ownership.disconnected(this.#now));
        if (!isThere) for (const upstream of this.#upstreams.values()) upstream.contactLost();
      },
      fault: ({ message }: Error) => this.#report(message),
    };
    void this.#connect(events, keepsTrying);
  }

  async #connect(events: EngineEvents, keepsTrying: boolean): Promise<void> {
    for (;;) {
      try {
        return await this.#engine.connect(events);
      } catch (error) {
        if (this.#hasEnded) return;
        this.#refused((error as Error).message, keepsTrying);
      }
      if (!keepsTrying) return;
      await new Promise((resolve) => setTimeout(resolve, this.#pauseMs).unref());
    }
  }

  #refused(why: string, keepsTrying: boolean): void {
    this.#refusal = why;
    if (keepsTrying) this.#report(why);
    for (const upstream of this.#upstreams.values()) {
      if (keepsTrying) upstream.look();
      else upstream.fail(why);
    }
  }

  get id(): string {
    return this.#id;
  }

  /** A text that no other member has, nor this one at another call. */
  uniqueName(): string {
    return `${this.#id}-${++this.#names}`;
  }

  get engine(): Engine {
    return this.#engine;
  }

  /** Milliseconds since a beat was sent that has come back, or since the start if none has. */
  get contactAgeMs(): number {
    const now = this.#now;
    return Math.min(this.#ownership.lastContactAgeMs(now), ageOf(this.#startedAt, now));
  }

  /** True if another member could take over what this one gives up. */
  get hasOthers(): boolean {
    return this.#ownership.hasOthers(this.#now);
  }

  add(name: string, upstream: MemberUpstream): void {
    this.#upstreams.set(name, upstream);
    this.#carryOut(this.#ownership.add(name, upstream, this.#now), [name]);
  }

  remove(name: string): void {
    this.#carryOut(this.#ownership.remove(name, this.#now), [name]);
    this.#upstreams.delete(name);
  }

  /** Tells the others the phase of an upstream's connection. */
  setPhase(name: string, phase: string): void {
    this.#carryOut(this.#ownership.setPhase(name, phase, this.#now), [name]);
  }

  /** Gives an upstream to another member, and does not claim it again. */
  release(name: string): void {
    this.#carryOut(this.#ownership.release(name, this.#now), [name]);
  }

  /** True if another member would be heard, and could take over at once. */
  get isInContact(): boolean {
    return this.#ownership.isInContact(this.#now);
  }

  /** True if no other member can own an upstream now. */
  isSole(name: string): boolean {
    return this.#ownership.isSole(name, this.#now);
  }

  mayWrite(name: string): boolean {
    return this.#ownership.mayWrite(name, this.#now);
  }

  ownerOf(name: string): OwnerView | undefined {
    return this.#ownership.ownerOf(name, this.#now);
  }

  /** The place that a request for an upstream goes to now. */
  destinationOf(name: string): Destination {
    const now = this.#now;
    const owner = this.#ownership.ownerOf(name, now);
    if (owner?.isSelf) {
      const { term, address } = owner;
      return this.#ownership.mayWrite(name, now) ? { type: "self", term, address } : { type: "none", why: DOUBTFUL };
    }
    if (!this.#ownership.isInContact(now)) return { type: "none", why: this.#refusal ?? OUT_OF_CONTACT };
    if (!owner) return { type: "none", why: "no replica owns it" };
    if (owner.isSuspect) return { type: "none", why: "the replica that owns it is not heard" };
    return { type: "other", term: owner.term, address: owner.address };
  }

  /** Disconnects once what is on its way has been sent. */
  async end(withinMs: number): Promise<void> {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const until = this.#env.now() + withinMs;
    await pTimeout(Promise.all(this.#writes), { milliseconds: Math.max(1, withinMs), fallback: () => [] });
    clearTimeout(this.#timer);
    await this.#engine.end(Math.max(1, until - this.#env.now()));
  }

  /** True if a member is gone that we have known of since a time of our clock. */
  isSilent(member: string, since: number): boolean {
    return this.#ownership.isSilent(member, since, this.#now);
  }

  /** True if a host has been silent for so long that nobody waits for it. */
  isHostGone(host: string): boolean {
    return this.#ownership.isHostGone(host, this.#now);
  }

  get goneAfterMs(): number {
    return this.#ownership.goneAfterMs;
  }

  get #now(): Instant {
    return { ms: this.#env.now(), wallMs: Date.now() };
  }

  #hear(bytes: Uint8Array): void {
    let beat: Beat;
    try {
      beat = decodeBeat(bytes);
    } catch (error) {
      this.#report((error as Error).message);
      return;
    }
    // Of an address of ours only we say so.
    for (const { upstream, address } of beat.released)
      if (!this.#answering.has(address)) this.#upstreams.get(upstream)?.released(address, beat.member);
    const now = this.#now;
    const named = [...beat.owned, ...beat.released].map(({ upstream }) => upstream);
    const wasInContact = this.#ownership.isInContact(now);
    const effects = this.#ownership.hear(beat, now);
    const isNewContact = this.#ownership.isInContact(now) !== wasInContact;
    this.#carryOut(effects, isNewContact ? undefined : named);
  }

  /** Reports the same text once in a row: a member of another version sends beats all the time. */
  #report(text: string, event: "clustered" | "cluster_fault" = "cluster_fault"): void {
    if (text !== this.#reported) this.#env.report(event, text);
    this.#reported = text;
  }

  /**
   * @param named upstreams that may have changed, besides those of the effects; all by default. There may be thousands,
   *   and beats come from every member: whatever only time changes is seen once a tick is due.
   */
  #carryOut(effects: readonly OwnershipEffect[], named?: Iterable<string>): void {
    const isAll = named === undefined || this.#env.now() >= this.#allDueAt;
    if (isAll) this.#allDueAt = Number.POSITIVE_INFINITY;
    const changed = new Set(isAll ? this.#upstreams.keys() : named);
    for (const effect of effects) {
      if ("upstream" in effect) changed.add(effect.upstream);
      this.#perform(effect);
    }
    for (const name of changed) this.#upstreams.get(name)?.look();
  }

  #perform(effect: OwnershipEffect): void {
    switch (effect.type) {
      case "claim":
        void this.#claim(effect);
        break;
      case "look":
        void this.#look(effect.upstream, effect.withinMs);
        break;
      case "own":
        this.#upstreams.get(effect.upstream)?.own();
        break;
      case "resign":
        this.#upstreams.get(effect.upstream)?.resign(RESIGNED[effect.why]);
        this.#stopAnswering(effect.address);
        break;
      case "release":
        this.#release(effect);
        break;
      case "released":
        this.#upstreams.get(effect.upstream)?.released(effect.address, this.#id);
        this.#stopAnswering(effect.address);
        break;
      case "beat":
        this.#engine.beat(encodeBeat(effect.beat));
        break;
      case "prove":
        void this.#prove(effect.at, effect.withinMs);
        break;
      case "tick":
        this.#allDueAt = Math.min(this.#allDueAt, effect.at);
        this.#setTimer(this.#allDueAt);
    }
  }

  /** Answers at the address before the record names it: whoever reads the record may ask at once. */
  async #claim({ upstream, after, address, withinMs }: OwnershipEffect & { type: "claim" }): Promise<void> {
    const take = this.#upstreams.get(upstream)?.take;
    if (take && !this.#answering.has(address)) this.#answering.set(address, this.#engine.answer(address, take));
    const outcome = await this.#write(upstream, { member: this.#id, address }, after, withinMs);
    this.#carryOut(this.#ownership.claimed(upstream, outcome, this.#now), [upstream]);
    const owner = this.#ownership.ownerOf(upstream, this.#now);
    if (!owner?.isSelf || owner.address !== address) this.#stopAnswering(address);
  }

  #release({ upstream, after, from, withinMs }: OwnershipEffect & { type: "release" }): void {
    const release = this.#write(upstream, { from }, after, withinMs).then((outcome) => {
      this.#carryOut(this.#ownership.released(upstream, outcome, this.#now), [upstream]);
    });
    this.hold(release);
  }

  /** Lets a write end before the thread does. */
  hold(write: Promise<void>): void {
    const held = write.finally(() => this.#writes.delete(held));
    this.#writes.add(held);
  }

  async #write(
    upstream: string,
    value: OwnerValue,
    after: number,
    withinMs: number,
  ): Promise<number | "lost" | "unknown"> {
    try {
      const claim = { bucket: OWNERS, key: upstream, value: encodeOwner(value), after };
      const claimed = await this.#engine.claim(claim, withinMs);
      return claimed === "full" ? "unknown" : claimed;
    } catch {
      return "unknown";
    }
  }

  async #look(upstream: string, withinMs: number): Promise<void> {
    try {
      const stored = await this.#engine.look(OWNERS, upstream, withinMs);
      const value = stored && decodeOwner(stored.value);
      this.#carryOut(this.#ownership.found(upstream, value, stored?.revision ?? 0, this.#now), [upstream]);
    } catch {
      this.#carryOut(this.#ownership.lookFailed(upstream, this.#now), [upstream]);
    }
  }

  async #prove(at: Instant, withinMs: number): Promise<void> {
    try {
      await this.#engine.keep("kept", `proof.${this.#id}`, new Uint8Array(1), withinMs);
      this.#carryOut(this.#ownership.proved(at, this.#now));
    } catch {
      // Without a proof in time the ownership resigns by itself.
    }
  }

  #stopAnswering(address: string): void {
    this.#answering.get(address)?.();
    this.#answering.delete(address);
  }

  #setTimer(at: number): void {
    clearTimeout(this.#timer);
    if (this.#hasEnded) return;
    const tick = () => this.#carryOut(this.#ownership.tick(this.#now));
    this.#timer = setTimeout(tick, Math.max(1, Math.ceil(at - this.#env.now())));
  }
}

const DOUBTFUL = "the other replicas may have given it another owner";
const OUT_OF_CONTACT = "this replica has no contact with the others";

/** Joins the cluster. */
export async function startMember(
  { settings, replies, keepsTrying = false }: ThreadCluster,
  host: string | undefined,
  env: MemberEnvironment,
): Promise<ClusterMember> {
  const { natsEngine } = await import("../../cluster/nats.ts");
  const member = `${host ?? ""}${randomName()}`;
  const engine = natsEngine(engineSettings(settings, replies, { member, messageBytes: MESSAGE_BYTES }));
  const started = new ClusterMember(member, settings.lease, engine, env);
  started.start(keepsTrying);
  return started;
}

/** 22 characters that nobody else draws. */
function randomName(): string {
  return randomBytes(16).toString("base64url");
}
