/** Forwarding: requests of a member's own callers on their way to the owner of an upstream, and how each ends. */

import type { Failure } from "../../errors.ts";
import { failed, RETRY_SOON_MS, shuttingDown, unsentInTime } from "../exchange/failures.ts";
import { HOLD_MS } from "../exchange/send-queue.ts";
import { LATE_MAX, type Outcome } from "../outcome.ts";
import { TimerWheel } from "../util/timer-wheel.ts";
import { TransientMap, TransientSet } from "../util/transient.ts";

/** The place that requests for an upstream go to at a moment. */
export type Destination =
  /** This member is the owner, and may write. */
  | { readonly type: "self"; readonly term: number; readonly address: string }
  | { readonly type: "other"; readonly term: number; readonly address: string }
  /** The owner is not known, or suspected, or we have no contact with the cluster. `why` says so to people. */
  | { readonly type: "none"; readonly why: string };

type Owned = Exclude<Destination, { type: "none" }>;

/**
 * The end of an ask. `not_owner`, `nobody`: certainly nothing of the request was sent, so it may be asked again.
 * `lost`: no outcome will come, and nobody knows it.
 */
export type AskEnd = Outcome | "not_owner" | "nobody" | "lost";

export type ForwardingEffect<Request> =
  /** Hand the request to this member's own exchange, which settles it. */
  | { readonly type: "own"; readonly seq: number; readonly request: Request }
  | { readonly type: "ask"; readonly seq: number; readonly request: Request; readonly address: string }
  /** Nobody waits for the answers any more. */
  | { readonly type: "leave"; readonly seq: number }
  | { readonly type: "settle" | "late"; readonly seq: number; readonly outcome: Outcome };

/** After a new term began without a release, the answers of the replaced owner may still come for this time. */
export const OVERTAKEN_MS = 150;
/** The time for the owner's own timeout to reach us, in milliseconds: less than the host waits for its thread. */
export const ANSWER_GRACE_MS = 25;
/** An owner that may not write just now is asked again after this time. */
const RETRY_OWNER_MS = 100;

type ForwardedPhase =
  | HeldRequest
  | { readonly type: "own" }
  /** `streams`: its reply has begun, and it has no deadline any more. `late`: it has timed out at the owner. */
  | { readonly type: "asked" | "streams" | "late"; readonly address: string; readonly term: number };

/** `refusedBy` is not asked again before `retryAt`. */
interface HeldRequest {
  readonly type: "held";
  readonly until: number;
  readonly refusedBy?: string | undefined;
  readonly retryAt: number;
}

interface Forwarded<Request> {
  readonly seq: number;
  /** Undefined once it cannot be asked again: its body may be large, and nobody counts it any more. */
  request: Request | undefined;
  readonly deadline: number;
  readonly arrivedAt: number;
  phase: ForwardedPhase;
  /** The last time that it was held. */
  held?: HeldRequest | undefined;
  /** The moment for which it is filed on the wheel. */
  dueAt: number | undefined;
}

/**
 * Pure. Nothing is sent twice: a request is asked again only if the owner or the message server says that nothing of it
 * was sent, and each address has one holder for one term.
 */
export class Forwarding<Request> {
  readonly #entries = new TransientMap<number, Forwarded<Request>>();
  readonly #wheel = new TimerWheel<Forwarded<Request>>();
  /** Those that are held, in the order of their arrival. */
  readonly #held = new TransientSet<Forwarded<Request>>();
  readonly #late = new TransientSet<Forwarded<Request>>();
  readonly #released = new Set<string>();
  #to: Destination = { type: "none", why: "the owner is not known yet" };
  #refusal: Failure | undefined;

  /** When `expire` must be called; undefined if nothing is due. */
  get nextDeadline(): number | undefined {
    return this.#wheel.next();
  }

  /** True if another member still owes a caller a reply. Streams do not count: one may go on without end. */
  get owesCallers(): boolean {
    for (const { phase } of this.#entries.values()) if (phase.type === "asked") return true;
    return false;
  }

  /** The number of requests that are not forgotten. */
  get size(): number {
    return this.#entries.size;
  }

  has(seq: number): boolean {
    return this.#entries.has(seq);
  }

  /** True for a request that timed out at its owner, whose late outcome is awaited. */
  isLate(seq: number): boolean {
    return this.#entries.get(seq)?.phase.type === "late";
  }

  request(seq: number, request: Request, deadline: number, now: number): readonly ForwardingEffect<Request>[] {
    if (this.#refusal) return [settled(seq, this.#refusal)];
    const entry: Forwarded<Request> = {
      seq,
      request,
      deadline,
      arrivedAt: now,
      phase: { type: "own" },
      dueAt: undefined,
    };
    this.#entries.set(seq, entry);
    if (this.#to.type === "self") return [{ type: "own", seq, request }];
    if (this.#to.type === "other") return this.#ask(entry, this.#to);
    this.#hold(entry, now);
    return [];
  }

  /** Call with the owner as it is now, before any other input and whenever it may have changed. */
  onOwner(to: Destination, now: number): readonly ForwardingEffect<Request>[] {
    const before = this.#to;
    if (isSame(before, to)) return [];
    this.#to = to;
    if (to.type === "none") return [];
    for (const entry of this.#entries.values()) this.#overtake(entry, to, now);
    return this.#flush(to, now);
  }

  /** The owner at this address has given the upstream up by itself: it answers what it has. */
  onReleased(address: string): void {
    this.#released.add(address);
    const [oldest] = this.#released;
    if (this.#released.size > RELEASED_MAX && oldest !== undefined) this.#released.delete(oldest);
  }

  /** The reply to a stream has begun. @returns false if nobody waits for it */
  onBegun(seq: number): boolean {
    const entry = this.#entries.get(seq);
    if (!entry || entry.phase.type === "late") return false;
    if (entry.phase.type !== "asked") return entry.phase.type !== "held";
    this.#file(entry, undefined);
    entry.phase = { ...entry.phase, type: "streams" };
    entry.request = undefined;
    return true;
  }

  /** Contact with the cluster is lost: parts of streams may be missing from here on, and their ends, too. */
  onContactLost(): readonly ForwardingEffect<Request>[] {
    const effects: ForwardingEffect<Request>[] = [];
    for (const entry of [...this.#entries.values()]) {
      if (entry.phase.type !== "streams") continue;
      effects.push({ type: "leave", seq: entry.seq }, ...this.#finish(entry, "settle", unknown));
    }
    return effects;
  }

  /** Takes the end of an ask, or of a request that this member's own exchange had. */
  onEnd(seq: number, end: AskEnd, now: number): readonly ForwardingEffect<Request>[] {
    const entry = this.#entries.get(seq);
    if (!entry || entry.phase.type === "held") return [];
    if (entry.phase.type === "late") return this.#finish(entry, "late", typeof end === "string" ? unknown : end);
    if (end === "not_owner" || end === "nobody") return this.#askAgain(entry, now);
    if (end === "lost") return this.#finish(entry, "settle", unknown);
    if (entry.phase.type === "own" || !mayFollow(end)) return this.#finish(entry, "settle", end);
    this.#file(entry, undefined);
    entry.phase = { ...entry.phase, type: "late" };
    entry.request = undefined;
    this.#late.add(entry);
    return [{ type: "settle", seq, outcome: end }, ...this.#boundLate()];
  }

  /** Ends a request whose caller has left. */
  abandon(seq: number): readonly ForwardingEffect<Request>[] {
    const entry = this.#entries.get(seq);
    if (!entry || entry.phase.type === "late") return [];
    const { type } = entry.phase;
    this.#forget(entry);
    return type === "asked" || type === "streams" ? [{ type: "leave", seq }] : [];
  }

  /** Call when `nextDeadline` has come. */
  expire(now: number): readonly ForwardingEffect<Request>[] {
    const effects: ForwardingEffect<Request>[] = [];
    const due = this.#wheel.due(now);
    for (const entry of due) entry.dueAt = undefined;
    for (const entry of due) {
      // One that was due before it may have let this one go out, with another deadline.
      if (entry.dueAt === undefined && this.#entries.get(entry.seq) === entry)
        effects.push(...this.#expire(entry, now));
    }
    return effects;
  }

  /** Refuses new requests from here on, and fails those that are held. */
  drain(): readonly ForwardingEffect<Request>[] {
    this.#refusal = shuttingDown;
    return [...this.#held].flatMap((entry) => this.#finish(entry, "settle", failed(shuttingDown, undefined)));
  }

  /** Fails every request that another member has. @returns with the effects how many there were */
  cancel(): { readonly effects: readonly ForwardingEffect<Request>[]; readonly count: number } {
    const effects = [...this.drain()];
    let count = 0;
    for (const entry of [...this.#entries.values()]) {
      if (entry.phase.type === "own") continue;
      if (entry.phase.type !== "late") count++;
      const type = entry.phase.type === "late" ? "late" : "settle";
      effects.push({ type: "leave", seq: entry.seq }, ...this.#finish(entry, type, failed(stopped, undefined)));
    }
    return { effects, count };
  }

  #flush(to: Owned, now: number): readonly ForwardingEffect<Request>[] {
    const effects: ForwardingEffect<Request>[] = [];
    for (const entry of this.#held) {
      const { phase } = entry;
      if (phase.type !== "held") continue;
      if (phase.refusedBy === to.address && phase.retryAt > now) continue;
      this.#held.delete(entry);
      this.#file(entry, undefined);
      effects.push(...(to.type === "self" ? this.#own(entry) : this.#ask(entry, to)));
    }
    return effects;
  }

  #own(entry: Forwarded<Request>): readonly ForwardingEffect<Request>[] {
    const { seq, request } = entry;
    if (request === undefined) return [];
    entry.phase = { type: "own" };
    return [{ type: "own", seq, request }];
  }

  #ask(entry: Forwarded<Request>, to: Destination & { type: "other" }): readonly ForwardingEffect<Request>[] {
    const { seq, request, deadline } = entry;
    if (request === undefined) return [];
    entry.phase = { type: "asked", address: to.address, term: to.term };
    this.#file(entry, deadline + ANSWER_GRACE_MS);
    return [{ type: "ask", seq, request, address: to.address }];
  }

  #askAgain(entry: Forwarded<Request>, now: number): readonly ForwardingEffect<Request>[] {
    const { phase } = entry;
    if (phase.type === "streams") return this.#finish(entry, "settle", failed(overtaken, undefined));
    if (this.#refusal) return this.#finish(entry, "settle", failed(this.#refusal, undefined));
    const refusedBy = "address" in phase ? phase.address : this.#to.type === "self" ? this.#to.address : undefined;
    this.#hold(entry, now, refusedBy);
    return this.#to.type === "none" ? [] : this.#flush(this.#to, now);
  }

  #hold(entry: Forwarded<Request>, now: number, refusedBy?: string): void {
    const { held: before } = entry;
    // An owner that keeps refusing does not prolong the wait.
    const isSameRefusal = before !== undefined && before.refusedBy === refusedBy;
    const until = isSameRefusal ? before.until : Math.min(entry.deadline, now + HOLD_MS);
    const retryAt = refusedBy === undefined ? until : Math.min(until, now + RETRY_OWNER_MS);
    entry.held = { type: "held", until, refusedBy, retryAt };
    entry.phase = entry.held;
    this.#held.add(entry);
    this.#file(entry, retryAt);
  }

  /** A newer term has begun: the owner of an older one cannot be relied on to answer, unless it released. */
  #overtake(entry: Forwarded<Request>, { address, term }: Owned, now: number): void {
    const { phase } = entry;
    if (!("address" in phase) || phase.term >= term || phase.address === address) return;
    if (this.#released.has(phase.address)) return;
    this.#file(entry, Math.min(entry.dueAt ?? Number.POSITIVE_INFINITY, now + OVERTAKEN_MS));
  }

  #expire(entry: Forwarded<Request>, now: number): readonly ForwardingEffect<Request>[] {
    const { phase, deadline, arrivedAt } = entry;
    if (phase.type === "own") return [];
    if (phase.type === "held") {
      if (now < phase.until) {
        this.#file(entry, phase.until);
        return this.#to.type === "none" ? [] : this.#flush(this.#to, now);
      }
      const waitedMs = now - arrivedAt;
      const failure = now < deadline ? this.#unowned(waitedMs) : unsentInTime(waitedMs);
      return this.#finish(entry, "settle", failed(failure, undefined));
    }
    const isOverdue = phase.type === "asked" && now >= deadline + ANSWER_GRACE_MS;
    const failure = isOverdue ? unanswered(now - arrivedAt) : overtaken;
    const leave = { type: "leave", seq: entry.seq } as const;
    return [leave, ...this.#finish(entry, phase.type === "late" ? "late" : "settle", failed(failure, undefined))];
  }

  #unowned(waitedMs: number): Failure {
    const why = this.#to.type === "none" ? this.#to.why : "its owner could not take the message";
    const detail = `no replica could send the message within ${Math.round(waitedMs)} ms: ${why}`;
    return { code: "upstream_down", sent: "no", detail, retryAfterMs: RETRY_SOON_MS };
  }

  #finish(entry: Forwarded<Request>, type: "settle" | "late", outcome: Outcome): readonly ForwardingEffect<Request>[] {
    this.#forget(entry);
    return [{ type, seq: entry.seq, outcome }];
  }

  #forget(entry: Forwarded<Request>): void {
    this.#file(entry, undefined);
    this.#held.delete(entry);
    this.#late.delete(entry);
    this.#entries.delete(entry.seq);
  }

  #boundLate(): readonly ForwardingEffect<Request>[] {
    const [oldest] = this.#late;
    if (this.#late.size <= LATE_MAX || oldest === undefined) return [];
    this.#forget(oldest);
    return [{ type: "leave", seq: oldest.seq }];
  }

  #file(entry: Forwarded<Request>, at: number | undefined): void {
    if (entry.dueAt !== undefined) this.#wheel.remove(entry, entry.dueAt);
    entry.dueAt = at;
    if (at !== undefined) this.#wheel.add(entry, at);
  }
}

/** The most addresses of released terms that are remembered. */
const RELEASED_MAX = 64;

const stopped: Failure = {
  code: "cancelled",
  sent: "maybe",
  detail: "the service stopped before the reply came from the upstream's owner",
};

const unknown = failed(
  {
    code: "connection_lost",
    sent: "maybe",
    detail: "the answer of the replica that owns the upstream was lost on its way",
    cause: "answer_lost",
  },
  undefined,
);

const overtaken: Failure = {
  code: "connection_lost",
  sent: "maybe",
  detail: "the replica that owned the upstream was replaced before its reply came",
  cause: "owner_lost",
};

function unanswered(waitedMs: number): Failure {
  const detail = `the replica that owns the upstream has not answered within ${Math.round(waitedMs)} ms`;
  return { code: "reply_timeout", sent: "maybe", detail, final: true };
}

function settled<Request>(seq: number, failure: Failure): ForwardingEffect<Request> {
  return { type: "settle", seq, outcome: failed(failure, undefined) };
}

/** True if a late outcome may follow. */
export function mayFollow(outcome: Outcome): boolean {
  if (outcome.type !== "failed" || outcome.failure.final) return false;
  return outcome.failure.code === "reply_timeout" && outcome.failure.sent !== "no";
}

function isSame(one: Destination, other: Destination): boolean {
  if (one === other) return true;
  if (one.type === "none" || other.type === "none") return one.type === other.type && isSameReason(one, other);
  return one.type === other.type && one.term === other.term;
}

function isSameReason(one: Destination, other: Destination): boolean {
  return one.type === "none" && other.type === "none" && one.why === other.why;
}
