/** A simulated replica: the core's ownership on clocks of its own, in a process that can be stopped at any place. */

import type { ClaimRecord } from "../../src/core/cluster/claims.ts";
import type { AskEnd, Destination } from "../../src/core/cluster/forwarding.ts";
import type { Instant } from "../../src/core/cluster/lease.ts";
import { Ownership } from "../../src/core/cluster/ownership.ts";
import type { Beat, OwnershipEffect, OwnerValue } from "../../src/core/cluster/ownership-messages.ts";
import type { Outcome } from "../../src/core/outcome.ts";
import type { Dice } from "./dice.ts";
import type { MessageServer, Peer } from "./message-server.ts";
import { type ForwardedRequest, type Replica, type SimulatedMessage, SimulatedRequests } from "./simulated-requests.ts";
import type { VirtualTime } from "./virtual-time.ts";

export interface Observer {
  /** Draws how long a fault lasts. @param below none lasts longer, nor longer than there are faults at all */
  faultMs(below: number): number;
  /** The socket is open under this term. */
  owned(member: SimulatedMember, upstream: string, term: number): void;
  /** A frame left; it may be of a message. */
  wrote(upstream: string, term: number, message?: SimulatedMessage): void;
  /** Draws a message that a caller wants to send. */
  message(): SimulatedMessage;
  settled(message: SimulatedMessage, outcome: Outcome): void;
  broke(rule: string): void;
}

/** The most that clocks go too fast or too slow, in parts of a million: a hundred times the worst of real ones. */
const SKEW_PPM = 10_000;
const WRITE_EVERY_MS = 60;
const CALL_EVERY_MS = 400;
const APART_MS = 5_000;

export class SimulatedMember implements Peer {
  readonly id: string;
  readonly ownership: Ownership;
  /** The term of each socket that is open. */
  readonly sockets = new Map<string, number>();
  isAlive = true;
  isStopped = false;
  #isSilent = false;
  effects = 0;
  readonly #answering = new Set<string>();
  #requests: SimulatedRequests | undefined;
  /** Addresses by upstream and term, and those that were released. */
  readonly #addresses = new Map<string, string>();
  readonly #released = new Set<string>();
  readonly #time: VirtualTime;
  readonly #server: MessageServer;
  readonly #dice: Dice;
  readonly #observer: Observer;
  readonly #marginMs: number;
  readonly #rate: number;
  #offset: number;
  #wallOffset: number;
  #suspendedAt: number | undefined;
  #jumpedAt = Number.NEGATIVE_INFINITY;
  #ticks = 0;
  #atWrite: (() => void) | undefined;
  /** Waits for the process to go on: timers apart, since either may come first. */
  #timers: (() => void)[] = [];
  #inbox: (() => void)[] = [];

  constructor(
    id: string,
    lease: number,
    context: { time: VirtualTime; server: MessageServer; dice: Dice; observer: Observer },
  ) {
    this.id = id;
    this.#time = context.time;
    this.#server = context.server;
    this.#dice = context.dice;
    this.#observer = context.observer;
    this.#marginMs = lease / 3;
    this.#rate = 1 + (this.#dice.unit() * 2 - 1) * (SKEW_PPM / 1e6);
    this.#offset = this.#dice.below(1e6);
    this.#wallOffset = 1e12 + this.#dice.below(1e9);
    const address = () => `${id}-${this.#dice.below(1e9)}`;
    this.ownership = new Ownership(id, lease, { unit: this.#dice.unit, address });
  }

  get now(): Instant {
    const at = this.#suspendedAt ?? this.#time.now;
    return { ms: this.#offset + at * this.#rate, wallMs: this.#wallOffset + this.#time.now * this.#rate };
  }

  start(upstreams: readonly string[]): void {
    this.#requests = new SimulatedRequests(upstreams, this.#replica());
    for (const upstream of upstreams)
      this.#run(this.ownership.add(upstream, { isExclusive: false, servesAlone: false }, this.now));
    this.#server.join(this.id, this);
    this.#write();
    this.#call();
  }

  kill(): void {
    this.isAlive = false;
    this.sockets.clear();
    this.#server.leave(this.id);
  }

  /** Stops the process, or with `isSuspended` the machine: its clock that never goes back stands still. */
  stop(ms: number, isSuspended: boolean): void {
    if (this.isStopped) return;
    this.isStopped = true;
    // A clock that is set back and a suspended machine hide each other: not both within one lease.
    if (isSuspended && this.#time.now - this.#jumpedAt > APART_MS) this.#suspendedAt = this.#time.now;
    this.#time.after(ms, () => this.#wake());
  }

  #wake(): void {
    this.isStopped = false;
    if (this.#suspendedAt !== undefined) this.#offset -= (this.#time.now - this.#suspendedAt) * this.#rate;
    this.#suspendedAt = undefined;
    const [timers, inbox] = [this.#timers, this.#inbox];
    this.#timers = [];
    this.#inbox = [];
    const waiting = this.#dice.oneIn(2) ? [...timers, ...inbox] : [...inbox, ...timers];
    for (const one of waiting) this.#do(one, this.#inbox);
  }

  /** Stops the process at its next write, between the two checks of the fence. */
  stopAtWrite(below: number, isSuspended: boolean): void {
    this.#atWrite = () => this.stop(this.#observer.faultMs(below), isSuspended);
  }

  jump(ms: number): void {
    if (this.isStopped) return;
    this.#jumpedAt = this.#time.now;
    this.#wallOffset += ms;
  }

  release(): void {
    this.#do(() => {
      for (const upstream of this.sockets.keys()) this.#run(this.ownership.release(upstream, this.now));
    }, this.#inbox);
  }

  hear(beat: Beat): void {
    this.#do(() => {
      this.#noteAddresses(beat);
      this.#run(this.ownership.hear(beat, this.now));
      for (const { upstream, term } of beat.owned) {
        const own = this.sockets.get(upstream);
        if (own !== undefined && own < term && beat.member !== this.id && this.ownership.mayWrite(upstream, this.now))
          this.#observer.broke(`${this.id} writes in term ${own} and has heard of ${term}`);
      }
    }, this.#inbox);
  }

  answersAt(address: string): boolean {
    return this.#answering.has(address);
  }

  take(address: string, request: ForwardedRequest, answer: (end: AskEnd) => void): void {
    this.#do(() => this.#answering.has(address) && this.#requests?.take(request, answer), this.#inbox);
  }

  callNoMore(): void {
    this.#isSilent = true;
  }

  /** Calls of this member's callers that have not ended. */
  get openCalls(): number {
    return this.#requests?.open ?? 0;
  }

  connected(): void {
    this.#do(() => this.#run(this.ownership.connected(this.now)), this.#inbox);
  }

  disconnected(): void {
    this.#do(() => this.#run(this.ownership.disconnected(this.now)), this.#inbox);
  }

  #do(input: () => void, queue: (() => void)[]): void {
    if (!this.isAlive) return;
    if (!this.isStopped) input();
    else queue.push(input);
  }

  #timer(ms: number, run: () => void): void {
    this.#time.after(Math.ceil(ms / this.#rate), () => this.#do(run, this.#timers));
  }

  #run(effects: readonly OwnershipEffect[]): void {
    for (const effect of effects) this.#carryOut(effect);
    this.effects += effects.length;
    this.#requests?.follow();
  }

  #carryOut(effect: OwnershipEffect): void {
    switch (effect.type) {
      case "claim":
        this.#claim(effect);
        break;
      case "look":
        this.#look(effect);
        break;
      case "release":
        this.#release(effect);
        break;
      case "own":
        this.sockets.set(effect.upstream, effect.term);
        this.#observer.owned(this, effect.upstream, effect.term);
        break;
      case "resign":
        this.#answering.delete(effect.address);
        this.sockets.delete(effect.upstream);
        this.#requests?.onResigned(effect.upstream);
        break;
      case "released":
        this.#answering.delete(effect.address);
        this.sockets.delete(effect.upstream);
        break;
      case "beat":
        this.#server.publish(effect.beat);
        break;
      case "tick":
        this.#tickAt(effect.at);
    }
  }

  #tickAt(at: number): void {
    const tick = ++this.#ticks;
    this.#timer(at - this.now.ms, () => {
      if (tick === this.#ticks) this.#run(this.ownership.tick(this.now));
    });
  }

  #claim({ upstream, after, address, withinMs }: OwnershipEffect & { type: "claim" }): void {
    const wasAnswering = this.#answering.has(address);
    this.#answering.add(address);
    const value = { member: this.id, address };
    const end = this.#once(withinMs, (outcome) => {
      if (typeof outcome !== "number" && !wasAnswering) this.#answering.delete(address);
      this.#run(this.ownership.claimed(upstream, outcome, this.now));
    });
    this.#server.write(this.id, upstream, value, after, end);
  }

  #release({ upstream, after, from, withinMs }: OwnershipEffect & { type: "release" }): void {
    const end = this.#once(withinMs, (outcome) => this.#run(this.ownership.released(upstream, outcome, this.now)));
    this.#server.write(this.id, upstream, { from }, after, end);
  }

  #look({ upstream, withinMs }: OwnershipEffect & { type: "look" }): void {
    let isOver = false;
    this.#server.read(this.id, upstream, (value, revision) =>
      this.#do(() => {
        if (isOver) return;
        isOver = true;
        this.#run(this.ownership.found(upstream, value as OwnerValue | undefined, revision, this.now));
      }, this.#inbox),
    );
    this.#timer(withinMs, () => {
      if (isOver) return;
      isOver = true;
      this.#run(this.ownership.lookFailed(upstream, this.now));
    });
  }

  /** Reports the first outcome, "unknown" if there is none in time. */
  #once(withinMs: number, report: (outcome: number | "lost" | "unknown") => void): (outcome: number | "lost") => void {
    let isOver = false;
    const end = (outcome: number | "lost" | "unknown") => {
      if (isOver) return;
      isOver = true;
      report(outcome);
    };
    this.#timer(withinMs, () => end("unknown"));
    return (outcome) => this.#do(() => end(outcome), this.#inbox);
  }

  /** Writes as the thread does: it checks the fence, checks again one turn later, and the frame leaves. */
  #write(): void {
    this.#timer(this.#dice.below(2 * WRITE_EVERY_MS), () => {
      for (const upstream of this.sockets.keys()) {
        if (!this.ownership.mayWrite(upstream, this.now)) continue;
        this.#writeSoon(upstream, undefined, () => {});
      }
      this.#write();
    });
  }

  #writeSoon(upstream: string, message: SimulatedMessage | undefined, written: (isWritten: boolean) => void): void {
    this.#timer(1, () => this.#uncork(upstream, message, written));
    this.#atWrite?.();
    this.#atWrite = undefined;
  }

  #uncork(upstream: string, message: SimulatedMessage | undefined, written: (isWritten: boolean) => void): void {
    const term = this.sockets.get(upstream);
    if (term === undefined || !this.ownership.mayWrite(upstream, this.now)) {
      written(false);
      return;
    }
    // The process stops behind the check, in front of the system call: the margin is for this.
    const ms = this.#dice.oneIn(40) ? this.#observer.faultMs(0.9 * this.#marginMs) : 0;
    this.#time.after(ms, () => this.#observer.wrote(upstream, term, message));
    if (ms > 0) this.stop(ms, false);
    written(true);
  }

  #call(): void {
    this.#timer(this.#dice.below(2 * CALL_EVERY_MS), () => {
      if (this.#isSilent) return;
      this.#requests?.call(this.#observer.message());
      this.#call();
    });
  }

  #noteAddresses({ owned, released }: Beat): void {
    for (const { upstream, term, address } of owned) this.#addresses.set(`${upstream}-${term}`, address);
    for (const { upstream, address } of released) {
      this.#released.add(address);
      this.#requests?.onReleased(upstream, address);
    }
  }

  #destinationOf(upstream: string): Destination {
    const owner = this.ownership.ownerOf(upstream, this.now);
    if (owner?.isSelf) {
      const { term, address } = owner;
      if (this.ownership.mayWrite(upstream, this.now)) return { type: "self", term, address };
    } else if (owner && !owner.isSuspect && this.ownership.isInContact(this.now)) {
      return { type: "other", term: owner.term, address: owner.address };
    }
    return { type: "none", why: "simulated" };
  }

  /** This member as its requests see it. */
  #replica(): Replica {
    const later = (run: () => void) => this.#do(run, this.#inbox);
    return {
      dice: this.#dice,
      nowMs: () => this.now.ms,
      termOf: (upstream) => this.sockets.get(upstream),
      destinationOf: (upstream) => this.#destinationOf(upstream),
      write: (message, written) => this.#writeSoon(message.upstream, message, written),
      wasReleased: (upstream, term) => this.#released.has(this.#addresses.get(`${upstream}-${term}`) ?? ""),
      after: (ms, run) => this.#timer(ms, run),
      ask: (address, request, answer) => this.#server.ask(this.id, address, request, (end) => later(() => answer(end))),
      claim: ({ key, value, after }, done) =>
        this.#server.write(this.id, `claims.${key}`, value, after, (outcome) => later(() => done(outcome))),
      look: (key, done) =>
        this.#server.read(this.id, `claims.${key}`, (value, revision) =>
          later(() => done(value === undefined ? undefined : ({ value, revision } as ClaimRecord<never>))),
        ),
      settled: (message, outcome) => this.#observer.settled(message, outcome),
    };
  }
}
