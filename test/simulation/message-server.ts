/** A message server and its network, simulated: links that delay, hold and drop, and a store with revisions. */
import type { AskEnd } from "../../src/core/cluster/forwarding.ts";
import type { Beat } from "../../src/core/cluster/ownership-messages.ts";
import type { Dice } from "./dice.ts";
import type { ForwardedRequest } from "./simulated-requests.ts";
import type { VirtualTime } from "./virtual-time.ts";

/** A member's end of its connection. */
export interface Peer {
  hear(beat: Beat): void;
  answersAt(address: string): boolean;
  take(address: string, request: ForwardedRequest, answer: (end: AskEnd) => void): void;
  connected(): void;
  disconnected(): void;
}

interface Link {
  readonly peer: Peer;
  isUp: boolean;
  /** Grows with each connection: what was on its way on an older one is lost. */
  life: number;
  /** Nothing arrives before, upwards and downwards. */
  heldUp: number;
  heldDown: number;
  /** The network is broken until then. */
  cutUntil: number;
  /** The last arrival, by sender: messages of one sender arrive in their order. */
  readonly arrivals: Map<string, number>;
}

interface StoredRecord {
  readonly value: unknown;
  readonly revision: number;
}

/** The longest that a client takes to notice a broken connection, in milliseconds. */
export const NOTICE_MS = 2_500;
const RECONNECT_MS = 200;
/** The longest way of a beat between two servers of one cluster. */
const ROUTE_MS = 100;

export class MessageServer {
  readonly #time: VirtualTime;
  readonly #dice: Dice;
  readonly #links = new Map<string, Link>();
  readonly #records = new Map<string, StoredRecord>();
  #revision = 0;
  #storeStalledUntil = 0;
  #losesAcks = true;

  constructor(time: VirtualTime, dice: Dice) {
    this.#time = time;
    this.#dice = dice;
  }

  join(member: string, peer: Peer): void {
    const link = { peer, isUp: false, life: 0, heldUp: 0, heldDown: 0, cutUntil: 0, arrivals: new Map() };
    this.#links.set(member, link);
    this.#connect(link);
  }

  leave(member: string): void {
    this.#links.delete(member);
  }

  /** Breaks a member's connection. The client notices some time later, and has another some time after the cut. */
  cut(member: string, ms: number): void {
    const link = this.#links.get(member);
    if (!link) return;
    link.cutUntil = Math.max(link.cutUntil, this.#time.now + ms);
    if (!link.isUp) return;
    link.isUp = false;
    link.life++;
    this.#time.after(this.#dice.oneIn(2) ? 0 : this.#dice.below(NOTICE_MS), () => {
      link.peer.disconnected();
      this.#connect(link);
    });
  }

  /** Delays what is on the way to or from a member, and loses nothing. */
  hold(member: string, ms: number, way: "up" | "down" | "both"): void {
    const link = this.#links.get(member);
    if (!link) return;
    const until = this.#time.now + ms;
    if (way !== "down") link.heldUp = Math.max(link.heldUp, until);
    if (way !== "up") link.heldDown = Math.max(link.heldDown, until);
  }

  /** All connections break. */
  restart(ms: number): void {
    for (const member of this.#links.keys()) this.cut(member, ms);
  }

  /** The store elects a leader: what is asked meanwhile is lost, or done afterwards. */
  stallStore(ms: number): void {
    this.#storeStalledUntil = this.#time.now + ms;
  }

  heal(): void {
    const { now } = this.#time;
    this.#storeStalledUntil = now;
    this.#losesAcks = false;
    for (const link of this.#links.values()) {
      link.cutUntil = Math.min(link.cutUntil, now);
      link.heldUp = Math.min(link.heldUp, now);
      link.heldDown = Math.min(link.heldDown, now);
    }
  }

  publish(beat: Beat): void {
    this.#upwards(beat.member, () => {
      for (const [member, link] of this.#links) {
        const route = member === beat.member ? 0 : this.#dice.below(ROUTE_MS);
        this.#downwards(link, beat.member, route, () => link.peer.hear(beat));
      }
    });
  }

  /** Writes if `after` is the newest revision of the key. `done` may never be called. */
  write(member: string, key: string, value: unknown, after: number, done: (outcome: number | "lost") => void): void {
    this.#askStore(member, () => {
      if ((this.#records.get(key)?.revision ?? 0) !== after) return () => done("lost");
      const revision = ++this.#revision;
      if (value === undefined) this.#records.delete(key);
      else this.#records.set(key, { value, revision });
      return () => done(revision);
    });
  }

  read(member: string, key: string, done: (value: unknown, revision: number) => void): void {
    this.#askStore(member, () => {
      const record = this.#records.get(key);
      return () => done(record?.value, record?.revision ?? 0);
    });
  }

  /** Carries a request to whichever member answers at an address, and its answers back. */
  ask(member: string, address: string, request: ForwardedRequest, answer: (end: AskEnd) => void): void {
    this.#upwards(member, (link) => {
      const holder = [...this.#links].find(([, { peer }]) => peer.answersAt(address));
      if (holder?.[1].isUp) {
        const [id, { peer }] = holder;
        const sendBack = (end: AskEnd) => this.#upwards(id, () => this.#downwards(link, id, 0, () => answer(end)));
        this.#downwards(holder[1], member, 0, () => peer.take(address, request, sendBack));
        // The server may not have noticed yet that the other's connection is broken.
      } else if (!holder || this.#dice.oneIn(2)) this.#downwards(link, "server", 0, () => answer("nobody"));
    });
  }

  #askStore(member: string, carryOut: () => () => void): void {
    this.#upwards(member, (link) => {
      const { now } = this.#time;
      const stalledMs = this.#storeStalledUntil - now;
      if (stalledMs > 0 && this.#dice.oneIn(2)) return;
      this.#time.after(Math.max(0, stalledMs), () => {
        const answer = carryOut();
        if (this.#losesAcks && this.#dice.oneIn(20)) return;
        this.#downwards(link, `store-${this.#dice.below(1_000)}`, 0, answer);
      });
    });
  }

  #connect(link: Link): void {
    this.#time.after(Math.max(0, link.cutUntil - this.#time.now) + this.#dice.below(RECONNECT_MS), () => {
      if (link.cutUntil > this.#time.now) return this.#connect(link);
      link.isUp = true;
      link.peer.connected();
    });
  }

  #upwards(member: string, arrive: (link: Link) => void): void {
    const link = this.#links.get(member);
    if (link?.isUp) this.#carry(link, "up", link.heldUp, 0, () => arrive(link));
  }

  #downwards(link: Link, sender: string, more: number, arrive: () => void): void {
    if (link.isUp) this.#carry(link, sender, link.heldDown, more, arrive);
  }

  #carry(link: Link, sender: string, heldUntil: number, more: number, arrive: () => void): void {
    const { now } = this.#time;
    const delay = this.#dice.oneIn(50) ? this.#dice.below(100) : this.#dice.below(5);
    const at = Math.max(now + delay + more, heldUntil, link.arrivals.get(sender) ?? 0);
    link.arrivals.set(sender, at);
    const { life } = link;
    this.#time.after(at - now, () => {
      if (link.life === life && link.isUp) arrive();
    });
  }
}
