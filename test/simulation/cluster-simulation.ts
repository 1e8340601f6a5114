/** A cluster of simulated members, what happens to it, and the rules that hold whatever happens. */
import { type Outcome, sentOf } from "../../src/core/outcome.ts";
import type { Sent } from "../../src/errors.ts";
import { Dice } from "./dice.ts";
import { MessageServer, NOTICE_MS } from "./message-server.ts";
import { type Observer, SimulatedMember } from "./simulated-member.ts";
import type { SimulatedMessage } from "./simulated-requests.ts";
import { VirtualTime } from "./virtual-time.ts";

export interface SimulationResult {
  /** The first rule that was broken, and when. */
  readonly broken: string | undefined;
  readonly terms: number;
  readonly frames: number;
  /** Requests by what their callers were told. */
  readonly sent: Readonly<Record<Sent, number>>;
  /** Time from the end of all faults until every upstream was owned. */
  readonly ownedAfterMs: number;
  /** Time from a release until the next owner. */
  readonly handedOverAfterMs: number;
  /** Time from the sudden end of an owner until the next. */
  readonly replacedAfterMs: number;
}

const LEASE_MS = 3_000;
const UPSTREAMS = ["u", "v"];
const CLOSE_MS = 300;
/** A call's time, the owner's, and the ways. */
const CALLS_END_MS = 6_000;
const FAULTS_MS = 45_000;
/** A client that has not noticed yet, a claim and a look whose outcome is unknown, and the lease. */
export const OWNED_WITHIN_MS = LEASE_MS + NOTICE_MS + LEASE_MS;
/** Two members that own something already, and their ways to the store and back. */
export const HANDED_OVER_WITHIN_MS = 500;
/** Chance, a second upstream, clocks that are a hundredth too slow, and the ways. */
const REPLACED_WITHIN_MS = LEASE_MS + 500;
/** No member does more in a second, however bad it is: nothing runs in a circle. */
const EFFECTS_PER_SECOND = 250;

export class ClusterSimulation implements Observer {
  readonly #time = new VirtualTime();
  readonly #dice: Dice;
  readonly #server: MessageServer;
  #members: SimulatedMember[] = [];
  #names = 0;
  #broken: string | undefined;
  #frames = 0;
  #messages = 0;
  #keys = 1;
  readonly #received = new Set<number | string>();
  /** Messages whose callers were told that they were not sent. */
  readonly #unsent = new Set<number>();
  readonly #sent = { no: 0, maybe: 0, yes: 0 };
  readonly #terms = new Map<string, number>();
  readonly #written = new Map<string, number>();

  constructor(seed: number) {
    this.#dice = new Dice(seed);
    this.#server = new MessageServer(this.#time, this.#dice);
  }

  run(): SimulationResult {
    const members = this.#dice.between(2, 6);
    for (let n = 0; n < members; n++) this.#join();
    this.#time.after(this.#dice.below(2_000), () => this.#nextFault());
    this.#pass(FAULTS_MS);
    this.#server.heal();
    const ownedAfterMs = this.#passUntil(OWNED_WITHIN_MS, () => UPSTREAMS.every((upstream) => this.#ownerOf(upstream)));
    if (ownedAfterMs > OWNED_WITHIN_MS) this.broke("an upstream has no owner");
    const handedOverAfterMs = this.#handOver();
    const replacedAfterMs = this.#failOver();
    this.#endCalls();
    const effects = Math.max(...this.#members.map((member) => member.effects));
    if (effects > (this.#time.now / 1_000) * EFFECTS_PER_SECOND) this.broke(`a member did ${effects} things`);
    return {
      broken: this.#broken,
      terms: [...this.#terms.values()].reduce((total, term) => total + term, 0),
      frames: this.#frames,
      sent: this.#sent,
      ownedAfterMs,
      handedOverAfterMs,
      replacedAfterMs,
    };
  }

  owned(_member: SimulatedMember, upstream: string, term: number): void {
    if (term <= (this.#terms.get(upstream) ?? 0)) this.broke(`term ${term} of ${upstream} does not grow`);
    this.#terms.set(upstream, term);
  }

  wrote(upstream: string, term: number, message?: SimulatedMessage): void {
    this.#frames++;
    if (message) this.#receive(message);
    const newest = this.#written.get(upstream) ?? 0;
    if (term < newest) this.broke(`a frame of ${upstream} left in term ${term}, after one of ${newest}`);
    this.#written.set(upstream, Math.max(term, newest));
  }

  faultMs(below: number): number {
    // A third of the long ones ends just when the lease does.
    const isClose = below > LEASE_MS && this.#dice.oneIn(3);
    const ms = isClose ? this.#dice.between(LEASE_MS - CLOSE_MS, LEASE_MS + CLOSE_MS) : this.#dice.below(below);
    return Math.max(0, Math.min(ms, FAULTS_MS - this.#time.now));
  }

  message(): SimulatedMessage {
    const dice = this.#dice;
    const id = ++this.#messages;
    const upstream = dice.pick(UPSTREAMS) ?? "";
    // A third has a key, which often is one that a caller of another member has had.
    if (!dice.oneIn(3)) return { id, upstream, key: undefined };
    if (dice.oneIn(2)) this.#keys++;
    return { id, upstream, key: `${upstream}-${this.#keys - dice.below(Math.min(10, this.#keys))}` };
  }

  settled({ id, key }: SimulatedMessage, outcome: Outcome): void {
    const sent = sentOf(outcome);
    this.#sent[sent]++;
    if (sent === "no") {
      this.#unsent.add(id);
      if (this.#received.has(id)) this.broke(`message ${id} was sent, and its caller was told that it was not`);
    } else if (outcome.type === "reply") {
      if (!this.#received.has(key ?? id)) this.broke(`message ${id} was not sent, and its caller got a reply`);
      if (outcome.body !== (key ?? `${id}`)) this.broke(`message ${id} got the reply to ${outcome.body}`);
    }
  }

  /** Takes what the upstream itself has seen. */
  #receive({ id, key }: SimulatedMessage): void {
    if (this.#unsent.has(id)) this.broke(`message ${id} was sent after its caller was told that it was not`);
    for (const one of key === undefined ? [id] : [id, key]) {
      if (this.#received.has(one)) this.broke(`message ${one} was sent twice`);
      this.#received.add(one);
    }
  }

  broke(rule: string): void {
    this.#broken ??= `at ${this.#time.now} ms: ${rule}`;
  }

  /** An owner that leaves while all is well is followed at once. */
  #handOver(): number {
    // All members have contact again, and the last claims are decided.
    this.#pass(NOTICE_MS + LEASE_MS);
    const upstream = UPSTREAMS[0] ?? "";
    const owner = this.#ownerOf(upstream);
    if (!owner || this.#members.length < 2) return 0;
    const before = this.#terms.get(upstream) ?? 0;
    owner.release();
    const taken = () => UPSTREAMS.every((one) => this.#ownerOf(one)) && (this.#terms.get(upstream) ?? 0) > before;
    const ms = this.#passUntil(HANDED_OVER_WITHIN_MS, taken);
    if (ms > HANDED_OVER_WITHIN_MS) this.broke("a released upstream has no owner");
    this.#leave(owner);
    return ms;
  }

  /** An owner that ends suddenly while all is well is replaced when its lease is over. */
  #failOver(): number {
    // The member that left has a successor that knows the others.
    this.#pass(2 * LEASE_MS);
    const upstream = UPSTREAMS[0] ?? "";
    const owner = this.#ownerOf(upstream);
    if (!owner) return 0;
    owner.kill();
    this.#members = this.#members.filter((one) => one !== owner);
    if (this.#members.length === 0) this.#join();
    const ms = this.#passUntil(REPLACED_WITHIN_MS, () => this.#ownerOf(upstream) !== undefined);
    if (ms > REPLACED_WITHIN_MS) this.broke("an owner that ended is not replaced");
    return ms;
  }

  /** Every caller is answered. */
  #endCalls(): void {
    for (const member of this.#members) member.callNoMore();
    this.#pass(CALLS_END_MS);
    const open = this.#members.reduce((total, member) => total + member.openCalls, 0);
    if (open > 0) this.broke(`${open} callers were not answered`);
  }

  #pass(ms: number): void {
    this.#time.runUntil(this.#time.now + ms, () => this.#check());
  }

  #passUntil(withinMs: number, isDone: () => boolean): number {
    const from = this.#time.now;
    while (!isDone() && this.#time.now - from <= withinMs) this.#pass(10);
    return this.#time.now - from;
  }

  /** The member that may write, and has a socket to write to. */
  #ownerOf(upstream: string): SimulatedMember | undefined {
    return this.#members.find((member) => member.sockets.has(upstream) && mayWrite(member, upstream));
  }

  #check(): void {
    for (const upstream of UPSTREAMS) {
      const owners = this.#members.filter((member) => mayWrite(member, upstream));
      if (owners.length > 1) this.broke(`${owners.map(({ id }) => id).join(" and ")} may write to ${upstream}`);
    }
  }

  #join(): void {
    const context = { time: this.#time, server: this.#server, dice: this.#dice, observer: this };
    const member = new SimulatedMember(`m${++this.#names}`, LEASE_MS, context);
    this.#members.push(member);
    member.start(UPSTREAMS);
  }

  #leave(member: SimulatedMember): void {
    member.kill();
    this.#members = this.#members.filter((one) => one !== member);
    this.#time.after(this.#dice.below(3_000), () => this.#join());
  }

  #nextFault(): void {
    if (this.#time.now > FAULTS_MS) return;
    this.#fault();
    this.#time.after(this.#dice.below(3_000), () => this.#nextFault());
  }

  #fault(): void {
    const dice = this.#dice;
    const forMs = (below: number) => this.faultMs(below);
    const owners = this.#members.filter(({ sockets }) => sockets.size > 0);
    const member = dice.pick(owners.length > 0 && !dice.oneIn(3) ? owners : this.#members);
    if (!member) return;
    const way = dice.pick(["up", "down", "both"] as const) ?? "both";
    const faults = [
      () => member.stop(forMs(6_000), false),
      () => member.stop(forMs(12_000), true),
      () => member.stopAtWrite(6_000, dice.oneIn(2)),
      () => member.stopAtWrite(6_000, dice.oneIn(2)),
      () => this.#server.cut(member.id, forMs(8_000)),
      () => this.#server.cut(member.id, forMs(500)),
      () => this.#server.hold(member.id, forMs(4_000), way),
      () => this.#server.hold(member.id, forMs(4_000), way),
      () => this.#squeeze(member),
      () => this.#server.restart(forMs(3_000)),
      () => this.#server.stallStore(forMs(8_000)),
      () => member.jump(dice.pick([-3_600_000, -1_500, 1_500, 3_600_000]) ?? 0),
      () => this.#leave(member),
      () => this.#exit(member),
    ];
    dice.pick(faults)?.();
  }

  /** The beats of a silent owner arrive at last, and are on their way to the others while they lose patience. */
  #squeeze(owner: SimulatedMember): void {
    const ms = this.#dice.between(LEASE_MS - 2 * CLOSE_MS, LEASE_MS);
    if (this.#time.now + ms + LEASE_MS > FAULTS_MS) return;
    this.#server.hold(owner.id, ms, "up");
    this.#time.after(ms - this.#dice.below(CLOSE_MS), () => {
      for (const member of this.#members) if (member !== owner) this.#server.hold(member.id, 2 * CLOSE_MS, "down");
    });
  }

  #exit(member: SimulatedMember): void {
    member.release();
    this.#time.after(this.#dice.below(1_000), () => this.#leave(member));
  }
}

function mayWrite(member: SimulatedMember, upstream: string): boolean {
  return !member.isStopped && member.ownership.mayWrite(upstream, member.now);
}
