/** A simulated replica: the core's ownership on clocks of its own, in a process that can be stopped at any place. */
import type { Instant } from "../../src/core/cluster/lease.ts";
import { Ownership } from "../../src/core/cluster/ownership.ts";
import type { Beat, OwnershipEffect } from "../../src/core/cluster/ownership-messages.ts";
import type { Dice } from "./dice.ts";
import type { MessageServer, Peer } from "./message-server.ts";
import type { VirtualTime } from "./virtual-time.ts";

export interface Observer {
  /** Draws how long a fault lasts. @param below none lasts longer, nor longer than there are faults at all */
  faultMs(below: number): number;
  /** The socket is open under this term. */
  owned(member: SimulatedMember, upstream: string, term: number): void;
  /** A frame left. */
  wrote(upstream: string, term: number): void;
  broke(rule: string): void;
}

/** The most that clocks go too fast or too slow, in parts of a million: a hundred times the worst of real ones. */
const SKEW_PPM = 10_000;
const WRITE_EVERY_MS = 60;
const APART_MS = 5_000;

export class SimulatedMember implements Peer {
  readonly id: string;
  readonly ownership: Ownership;
  /** The term of each socket that is open. */
  readonly sockets = new Map<string, number>();
  isAlive = true;
  isStopped = false;
  effects = 0;
  readonly #answering = new Set<string>();
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
    for (const upstream of upstreams) this.#run(this.ownership.add(upstream, false, this.now));
    this.#server.join(this.id, this);
    this.#write();
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
      this.#run(this.ownership.hear(beat, this.now));
      for (const { upstream, term } of beat.owned) {
        const own = this.sockets.get(upstream);
        if (own !== undefined && own < term && beat.member !== this.id && this.ownership.mayWrite(upstream, this.now))
          this.#observer.broke(`${this.id} writes in term ${own} and has heard of ${term}`);
      }
    }, this.#inbox);
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
        break;
      case "released":
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
        this.#run(this.ownership.found(upstream, value, revision, this.now));
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
        this.#timer(1, () => this.#uncork(upstream));
        this.#atWrite?.();
        this.#atWrite = undefined;
      }
      this.#write();
    });
  }

  #uncork(upstream: string): void {
    const term = this.sockets.get(upstream);
    if (term === undefined || !this.ownership.mayWrite(upstream, this.now)) return;
    // The process stops behind the check, in front of the system call: the margin is for this.
    const ms = this.#dice.oneIn(40) ? this.#observer.faultMs(0.9 * this.#marginMs) : 0;
    this.#time.after(ms, () => this.#observer.wrote(upstream, term));
    if (ms > 0) this.stop(ms, false);
  }
}
