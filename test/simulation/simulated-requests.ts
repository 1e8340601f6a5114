/** The requests of one simulated replica: its callers', and those of others that it answers as the owner. */
import { type ClaimAnswer, type ClaimEffect, type ClaimRecord, Claims } from "../../src/core/cluster/claims.ts";
import { type AskEnd, type Destination, Forwarding, type ForwardingEffect } from "../../src/core/cluster/forwarding.ts";
import { failed } from "../../src/core/exchange/failures.ts";
import { isUnsent, type Outcome } from "../../src/core/outcome.ts";
import type { ErrorCode, Sent } from "../../src/errors.ts";
import type { Dice } from "./dice.ts";

export interface SimulatedMessage {
  readonly id: number;
  readonly upstream: string;
  readonly key: string | undefined;
}

/** The end of a message at its owner. */
type OwnerEnd = Outcome | "not_owner";

/** The parts of a replica that its requests need. */
export interface Replica {
  readonly dice: Dice;
  nowMs(): number;
  /** The term of the open socket. */
  termOf(upstream: string): number | undefined;
  destinationOf(upstream: string): Destination;
  /** Checks the fence, waits a turn, checks again and writes. @param written false if nothing left */
  write(message: SimulatedMessage, written: (isWritten: boolean) => void): void;
  wasReleased(upstream: string, term: number): boolean;
  after(ms: number, run: () => void): void;
  ask(address: string, request: ForwardedRequest, answer: (end: AskEnd) => void): void;
  claim(effect: ClaimEffect<OwnerEnd> & { readonly type: "write" }, done: (outcome: number | "lost") => void): void;
  look(key: string, done: (record: ClaimRecord<OwnerEnd> | undefined) => void): void;
  settled(message: SimulatedMessage, outcome: Outcome): void;
}

export interface ForwardedRequest {
  readonly message: SimulatedMessage;
  readonly leftMs: number;
}

const TIMEOUT_MS = 4_000;
const STORE_WITHIN_MS = 1_000;
const CLAIMS_TICK_MS = 50;

export class SimulatedRequests {
  readonly #replica: Replica;
  readonly #forwardings = new Map<string, Forwarding<SimulatedMessage>>();
  readonly #claims = new Map<string, Claims<OwnerEnd>>();
  /** Callers whose message is in the hands of this owner's claims. */
  readonly #claiming = new Map<number, { readonly message: SimulatedMessage; settle(end: OwnerEnd): void }>();
  /** By upstream: fails what was written on a socket that is gone. */
  readonly #pending = new Map<string, Set<() => void>>();
  readonly #calls = new Map<number, { readonly message: SimulatedMessage; readonly deadline: number }>();
  /** By upstream: the deadline for which there is a timer. */
  readonly #alarms = new Map<string, number>();
  #seq = 0;
  #attempts = 0;
  #ticksClaims = false;

  constructor(upstreams: readonly string[], replica: Replica) {
    this.#replica = replica;
    for (const upstream of upstreams) {
      this.#forwardings.set(upstream, new Forwarding());
      this.#claims.set(upstream, this.#newClaims(upstream));
      this.#pending.set(upstream, new Set());
    }
  }

  /** Calls of this replica's callers that have not ended. */
  get open(): number {
    return this.#calls.size;
  }

  call(message: SimulatedMessage): void {
    const forwarding = this.#forwardings.get(message.upstream);
    const seq = ++this.#seq;
    const now = this.#replica.nowMs();
    const deadline = now + TIMEOUT_MS;
    this.#calls.set(seq, { message, deadline });
    this.follow();
    this.#carryOut(message.upstream, forwarding?.request(seq, message, deadline, now));
  }

  /** The owner of something may have changed. */
  follow(): void {
    for (const [upstream, forwarding] of this.#forwardings) {
      const to = this.#replica.destinationOf(upstream);
      this.#carryOut(upstream, forwarding.onOwner(to, this.#replica.nowMs()));
    }
  }

  onReleased(upstream: string, address: string): void {
    this.#forwardings.get(upstream)?.onReleased(address);
  }

  /** The socket is broken: what was written has no reply. */
  onResigned(upstream: string): void {
    for (const fail of [...(this.#pending.get(upstream) ?? [])]) fail();
  }

  /** Takes another replica's request. */
  take({ message, leftMs }: ForwardedRequest, answer: (end: AskEnd) => void): void {
    this.#handle(message, this.#replica.nowMs() + leftMs, answer);
  }

  #handle(message: SimulatedMessage, deadline: number, settle: (end: OwnerEnd) => void): void {
    const { upstream, key } = message;
    if (this.#replica.destinationOf(upstream).type !== "self") settle("not_owner");
    else if (key === undefined) this.#send(message, settle);
    else {
      const seq = ++this.#seq;
      this.#claiming.set(seq, { message, settle });
      this.#claim(upstream, this.#claims.get(upstream)?.ask(key, "d", { seq, deadline }));
      this.#tickClaims();
    }
  }

  #send(message: SimulatedMessage, settle: (end: OwnerEnd) => void): void {
    this.#replica.write(message, (isWritten) => {
      if (!isWritten) {
        settle("not_owner");
        return;
      }
      const pending = this.#pending.get(message.upstream);
      const end = (outcome: Outcome) => {
        if (pending?.delete(fail)) settle(outcome);
      };
      const fail = () => end(failure("connection_lost", "maybe"));
      pending?.add(fail);
      const replyMs = this.#replica.dice.oneIn(10) ? TIMEOUT_MS : this.#replica.dice.below(300);
      if (replyMs < TIMEOUT_MS) this.#replica.after(replyMs, () => end(replyTo(message)));
      else this.#replica.after(TIMEOUT_MS, () => end(failure("reply_timeout", "maybe")));
    });
  }

  #carryOut(upstream: string, effects: readonly ForwardingEffect<SimulatedMessage>[] = []): void {
    for (const effect of effects) {
      const { seq } = effect;
      const onEnd = (end: AskEnd) => {
        this.follow();
        this.#carryOut(upstream, this.#forwardings.get(upstream)?.onEnd(seq, end, this.#replica.nowMs()));
      };
      const deadline = this.#calls.get(seq)?.deadline ?? 0;
      if (effect.type === "own") this.#handle(effect.request, deadline, onEnd);
      else if (effect.type === "ask") {
        const request = { message: effect.request, leftMs: deadline - this.#replica.nowMs() };
        this.#replica.ask(effect.address, request, onEnd);
      } else if (effect.type === "settle") this.#settle(seq, effect.outcome);
    }
    this.#setAlarm(upstream);
  }

  #setAlarm(upstream: string): void {
    const forwarding = this.#forwardings.get(upstream);
    const due = forwarding?.nextDeadline;
    if (due === undefined || due === this.#alarms.get(upstream)) return;
    this.#alarms.set(upstream, due);
    this.#replica.after(due - this.#replica.nowMs(), () => {
      if (this.#alarms.get(upstream) === due) this.#alarms.delete(upstream);
      this.follow();
      this.#carryOut(upstream, forwarding?.expire(this.#replica.nowMs()));
    });
  }

  #settle(seq: number, outcome: Outcome): void {
    const call = this.#calls.get(seq);
    this.#calls.delete(seq);
    if (call) this.#replica.settled(call.message, outcome);
  }

  #newClaims(upstream: string): Claims<OwnerEnd> {
    let last = 0;
    const { termOf, wasReleased } = this.#replica;
    return new Claims({
      get term() {
        last = termOf(upstream) ?? last;
        return last;
      },
      wasReleased: (term) => wasReleased(upstream, term),
      attempt: () => `${upstream}-${this.#replica.dice.below(1e9)}-${++this.#attempts}`,
    });
  }

  #claim(upstream: string, effects: readonly ClaimEffect<OwnerEnd>[] = []): void {
    for (const effect of effects) {
      if (effect.type === "answer") this.#onAnswer(effect.seq, effect.answer);
      else if (effect.type === "send") this.#sendClaimed(upstream, effect.key, effect.seq);
      else if (effect.type === "write")
        this.#once<number | "lost" | "unknown">(
          "unknown",
          (done) => this.#replica.claim(effect, done),
          (outcome, now, claims) => claims.written(effect.key, outcome, now),
          upstream,
        );
      else
        this.#once<ClaimRecord<OwnerEnd> | undefined | "unknown">(
          "unknown",
          (done) => this.#replica.look(effect.key, done),
          (record, now, claims) => claims.found(effect.key, record, now),
          upstream,
        );
    }
  }

  /** Asks the store, and reports its answer or, after a while, that there is none. */
  #once<Answer>(
    none: Answer,
    ask: (done: (answer: Answer) => void) => void,
    report: (answer: Answer, now: number, claims: Claims<OwnerEnd>) => readonly ClaimEffect<OwnerEnd>[],
    upstream: string,
  ): void {
    let isOver = false;
    const end = (answer: Answer) => {
      const claims = this.#claims.get(upstream);
      if (isOver || !claims) return;
      isOver = true;
      this.#claim(upstream, report(answer, this.#replica.nowMs(), claims));
    };
    ask(end);
    this.#replica.after(STORE_WITHIN_MS, () => end(none));
  }

  #sendClaimed(upstream: string, key: string, seq: number): void {
    const message = this.#claiming.get(seq)?.message;
    if (!message) throw new Error(`nobody asked for ${key}`);
    this.#send(message, (end) => {
      const isNotSent = end === "not_owner" || isUnsent(end);
      this.#claim(upstream, this.#claims.get(upstream)?.ended(key, end, isNotSent, this.#replica.nowMs()));
      this.#tickClaims();
    });
  }

  #onAnswer(seq: number, answer: ClaimAnswer<OwnerEnd>): void {
    const asker = this.#claiming.get(seq);
    this.#claiming.delete(seq);
    if (answer.type === "outcome") asker?.settle(answer.outcome);
    else if (answer.type === "not_owner") asker?.settle("not_owner");
    else if (answer.type === "unavailable") asker?.settle(failure("upstream_down", "no"));
    else asker?.settle(failure("connection_lost", "maybe"));
  }

  #tickClaims(): void {
    if (this.#ticksClaims) return;
    this.#ticksClaims = true;
    this.#replica.after(CLAIMS_TICK_MS, () => {
      this.#ticksClaims = false;
      for (const [upstream, claims] of this.#claims) {
        this.#claim(upstream, claims.tick(this.#replica.nowMs()));
        if (claims.size > 0) this.#tickClaims();
      }
    });
  }
}

function replyTo({ id, key }: SimulatedMessage): Outcome {
  return { type: "reply", body: key ?? `${id}`, queueMs: 0, upstreamMs: 0 };
}

function failure(code: ErrorCode, sent: Sent): Outcome {
  return failed({ code, sent, detail: "simulated" }, undefined);
}
