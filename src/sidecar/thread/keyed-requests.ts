/** Requests with an Idempotency-Key at their upstream's owner, claimed in the cluster's store before they are sent. */

import type { ClaimRecords, KeyedEnd } from "../../cluster/claim-records.ts";
import {
  type ClaimAnswer,
  type Claimant,
  type ClaimEffect,
  Claims,
  type RequestKey,
} from "../../core/cluster/claims.ts";
import { mayFollow } from "../../core/cluster/forwarding.ts";
import { failed, keyMismatch, RETRY_SOON_MS, tooManyCallers } from "../../core/exchange/failures.ts";
import { isUnsent, LATE_MAX, type Outcome } from "../../core/outcome.ts";
import { TransientMap, TransientSet } from "../../core/util/transient.ts";
import type { Failure } from "../../errors.ts";
import type { Body } from "../../protocols/protocol.ts";
import { Alarm } from "../alarm.ts";
import type { CommandOf } from "../contract.ts";
import type { Work } from "./mark.ts";

/** A message of a caller, with its deadline. */
export type HostMessage = CommandOf<"request" | "send">;

export interface KeyedEnvironment {
  now(): number;
  readonly work: Work;
  readonly claimant: Claimant;
  /** Draws a number for a message in our own exchange. */
  draw(): number;
  /** False once another member may own the upstream. */
  mayWrite(): boolean;
  /** Hands a message to our own exchange, which ends it by `ended`. */
  send(message: HostMessage): void;
  /** Ends an asker's request. @param isReplayed true if an earlier request had this end */
  settle(seq: number, end: KeyedEnd, isReplayed: boolean): void;
  /** Reports the late outcome of a request that was settled with a timeout. */
  late(seq: number, outcome: Outcome): void;
  /** A write that must not be cut off by the end of the thread. */
  hold(write: Promise<void>): void;
  /** Fewer requests are owed an end. */
  onLess(): void;
}

interface KeyedAsker {
  readonly key: string;
  /** Without its body, which all that ask for the key have in common. */
  readonly message: HostMessage;
  readonly shared: SharedBody;
  readonly deadline: number;
}

/** The body of a message that several may ask for: it may be large, and nobody counts it here. */
interface SharedBody {
  readonly digest: string;
  /** Undefined once it was sent. */
  body: Body | undefined;
  askers: number;
}

/** A message in our own exchange. */
interface SentMessage {
  readonly key: string;
  readonly seq: number;
}

/** A message whose late outcome is waited for. */
interface TimedOutMessage extends SentMessage {
  readonly outcome: Outcome;
  readonly until: number;
}

const TICK_MS = 50;
/** The time that the store has for each call. While it elects a leader, it does not answer for some seconds. */
const STORE_WITHIN_MS = 1_000;

export class KeyedRequests {
  readonly #env: KeyedEnvironment;
  readonly #records: ClaimRecords;
  readonly #claims: Claims<KeyedEnd>;
  readonly #alarm: Alarm;
  readonly #askers = new TransientMap<number, KeyedAsker>();
  /** By key. */
  readonly #bodies = new TransientMap<string, SharedBody>();
  /** Askers that were told of a timeout, and wait for their late outcomes. */
  readonly #late = new TransientSet<number>();
  /** By their numbers in the exchange. */
  readonly #sent = new TransientMap<number, SentMessage>();
  /** By their numbers, too, the oldest first. */
  readonly #timedOut = new TransientMap<number, TimedOutMessage>();
  readonly #keepMs: number;
  readonly #lateMax: number;
  #writes = 0;

  /**
   * @param keepMs how long a late outcome is waited for
   * @param lateMax the messages for which one is waited for at a time
   */
  constructor(records: ClaimRecords, keepMs: number, env: KeyedEnvironment, lateMax = LATE_MAX) {
    this.#lateMax = lateMax;
    this.#records = records;
    this.#keepMs = keepMs;
    this.#env = env;
    this.#claims = new Claims(env.claimant);
    this.#alarm = new Alarm(env.now, () => env.work(() => this.#tick(), undefined));
  }

  /** True for the number of a message that was given to the exchange. */
  has(number: number): boolean {
    return this.#sent.has(number) || this.#timedOut.has(number);
  }

  /** True while a caller waits, or the store has not taken an end. */
  get isOwing(): boolean {
    return this.#writes > 0 || this.#askers.size > 0 || this.#claims.isStoring;
  }

  /** @param most the askers that may wait at a time */
  ask(seq: number, { id, digest }: RequestKey, message: HostMessage, most: number): void {
    if (this.#askers.size >= most) {
      this.#env.settle(seq, failed(tooManyCallers(most), undefined), false);
      return;
    }
    const { deadline } = message;
    const shared = this.#share(id, digest, message.body);
    this.#askers.set(seq, { key: id, message: { ...message, body: "" }, shared, deadline });
    this.#alarm.set(Math.min(this.#env.now() + TICK_MS, deadline));
    this.#carryOut(this.#claims.ask(id, digest, { seq, deadline }));
  }

  #share(key: string, digest: string, body: Body): SharedBody {
    // Of a key that has just ended, some may be told only after this: their body is gone.
    const present = this.#claims.has(key) ? this.#bodies.get(key) : undefined;
    if (present?.digest === digest) {
      present.askers++;
      return present;
    }
    const shared = { digest, body: this.#claims.isSent(key) ? undefined : body, askers: 1 };
    if (!present) this.#bodies.set(key, shared);
    return shared;
  }

  /** @returns false if nobody waits under that number */
  #forget(seq: number): boolean {
    const asker = this.#askers.get(seq);
    if (!asker) return false;
    const { key, shared } = asker;
    if (--shared.askers === 0 && this.#bodies.get(key) === shared) this.#bodies.delete(key);
    return this.#askers.delete(seq);
  }

  /** The asker does not wait any more. What was sent goes on. */
  abandon(seq: number): void {
    if (this.#forget(seq) || this.#late.delete(seq)) this.#claims.abandon(seq);
  }

  /** Takes the end of a message that was given to the exchange, and the late one of a message that has timed out. */
  ended(number: number, end: KeyedEnd): void {
    const sent = this.#sent.get(number) ?? this.#timedOut.get(number);
    if (!sent) return;
    if (end !== "not_owner" && mayFollow(end)) {
      // The key has no end before the late outcome, for which those that ask again wait, too.
      if (this.#sent.delete(number)) this.#timeOut(number, sent, end);
      return;
    }
    this.#sent.delete(number);
    this.#timedOut.delete(number);
    this.#end(sent.key, end);
  }

  /** Ends every asker's request, after the exchange was cancelled. The ends of their keys go on to the store. */
  cancel(failure: Failure): void {
    this.#endAskers(failure);
    this.#endAllLate();
  }

  /**
   * Ends every asker's request. A claim that is on its way is given back, and what was sent has no other end than this.
   * The store is offered all of it until it takes it, or for as long as any other end.
   */
  end(failure: Failure): void {
    this.#endAskers(failure);
    for (const number of [...this.#sent.keys()]) this.ended(number, failed(failure, undefined));
    this.#endAllLate();
    if (this.#claims.size === 0) this.#alarm.clear();
  }

  /** @param failure of those whose message may have been sent: the next owner takes the others */
  #endAskers(failure: Failure): void {
    for (const [seq, { key }] of [...this.#askers]) {
      const end = this.#claims.mayBeSent(key) ? failed(failure, undefined) : "not_owner";
      this.abandon(seq);
      this.#env.settle(seq, end, false);
    }
    for (const seq of [...this.#late]) {
      this.abandon(seq);
      this.#env.late(seq, failed(failure, undefined));
    }
  }

  #timeOut(number: number, { key, seq }: SentMessage, outcome: Outcome): void {
    this.#timedOut.set(number, { key, seq, outcome, until: this.#env.now() + this.#keepMs });
    if (this.#forget(seq)) {
      this.#late.add(seq);
      this.#env.settle(seq, outcome, false);
    }
    const [oldest] = this.#timedOut.keys();
    if (this.#timedOut.size > this.#lateMax && oldest !== undefined) this.#endLate(oldest);
  }

  /** No late outcome will come: the next owner must not wait for one. */
  #endAllLate(): void {
    for (const number of [...this.#timedOut.keys()]) this.#endLate(number);
  }

  /** Its late outcome is not waited for any more. */
  #endLate(number: number): void {
    const message = this.#timedOut.get(number);
    if (!message) return;
    this.#timedOut.delete(number);
    this.#end(message.key, withoutLate(message.outcome));
  }

  #end(key: string, end: KeyedEnd): void {
    const isNotSent = end === "not_owner" || isUnsent(end);
    this.#carryOut(this.#claims.ended(key, end, isNotSent, this.#env.now()));
  }

  #tick(): void {
    const now = this.#env.now();
    for (const [number, { until }] of this.#timedOut) {
      if (now < until) break;
      this.#endLate(number);
    }
    this.#carryOut(this.#claims.tick(now));
    if (this.#claims.size === 0) return;
    let next = now + TICK_MS;
    for (const { deadline } of this.#askers.values()) if (deadline > now) next = Math.min(next, deadline);
    this.#alarm.set(next);
  }

  #carryOut(effects: readonly ClaimEffect<KeyedEnd>[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case "write":
          this.#env.hold(this.#write(effect));
          break;
        case "look":
          void this.#look(effect.key);
          break;
        case "send":
          this.#send(effect.key, effect.seq);
          break;
        case "answer":
          this.#answer(effect.seq, effect.answer, effect.isReplayed);
      }
    }
    if (!this.isOwing) this.#env.onLess();
  }

  async #write({ key, value, after }: ClaimEffect<KeyedEnd> & { readonly type: "write" }): Promise<void> {
    this.#writes++;
    const written = await this.#records.write(key, value, after, STORE_WITHIN_MS);
    this.#writes--;
    this.#env.work(() => this.#carryOut(this.#claims.written(key, written, this.#env.now())), undefined);
  }

  async #look(key: string): Promise<void> {
    const record = await this.#records.look(key, STORE_WITHIN_MS);
    this.#env.work(() => this.#carryOut(this.#claims.found(key, record, this.#env.now())), undefined);
  }

  #send(key: string, seq: number): void {
    const { message, shared } = this.#askers.get(seq) ?? {};
    if (!message || shared?.body === undefined) throw new Error(`nobody asked for ${key}`);
    // The exchange would hold it for a connection that another member has.
    if (!this.#env.mayWrite()) {
      this.#end(key, "not_owner");
      return;
    }
    const { body } = shared;
    shared.body = undefined;
    const number = this.#env.draw();
    this.#sent.set(number, { key, seq });
    this.#env.send({ ...message, body, seq: number, key: undefined });
  }

  #answer(seq: number, answer: ClaimAnswer<KeyedEnd>, isReplayed: boolean): void {
    const end = endOf(answer);
    if (this.#forget(seq)) this.#env.settle(seq, end, isReplayed);
    else if (this.#late.delete(seq) && end !== "not_owner") this.#env.late(seq, end);
  }
}

function endOf(answer: ClaimAnswer<KeyedEnd>): KeyedEnd {
  switch (answer.type) {
    case "outcome":
      return answer.outcome;
    case "not_owner":
      return "not_owner";
    default:
      return failed(failures[answer.type], undefined);
  }
}

/** A timeout after which nothing follows. */
function withoutLate(outcome: Outcome): Outcome {
  return outcome.type === "failed" ? { ...outcome, failure: { ...outcome.failure, final: true } } : outcome;
}

const failures: Readonly<Record<Exclude<ClaimAnswer<KeyedEnd>["type"], "outcome" | "not_owner">, Failure>> = {
  replaced: {
    code: "connection_lost",
    sent: "maybe",
    detail: "the replica that had the first request with this Idempotency-Key was replaced before its reply came",
    cause: "owner_lost",
  },
  conflict: keyMismatch,
  unavailable: {
    code: "reply_timeout",
    sent: "no",
    detail: "the message could not be sent in time: the cluster's store did not say if its Idempotency-Key is free",
  },
  undecided: {
    code: "reply_timeout",
    sent: "maybe",
    detail: "no reply came in time; the first request with this Idempotency-Key is still pending",
    final: true,
  },
  full: {
    code: "too_many_in_flight",
    sent: "no",
    detail: "the cluster knows as many Idempotency-Keys as it may (replies.count), which live for replies.keep",
    retryAfterMs: RETRY_SOON_MS,
  },
};
