/** The claims of requests with an Idempotency-Key at an upstream's owner: each key is sent once and has one end. */
import { TransientMap } from "../util/transient.ts";

/** The Idempotency-Key of a request, as the replicas of a cluster know it: digests of both. */
export interface RequestKey {
  /** The key with all that it is distinguished by: its caller, its upstream, and the kind of the request. */
  readonly id: string;
  readonly digest: string;
}

/** The record of a key. `attempt` tells the claims of one member apart, even if it does not learn of their revision. */
export type ClaimValue<Outcome> =
  | { readonly digest: string; readonly term: number; readonly attempt: string }
  | { readonly digest: string; readonly end: ClaimEnd<Outcome> };

/** `replaced`: its owner was replaced while it may have been sending. */
export type ClaimEnd<Outcome> = { readonly type: "outcome"; readonly outcome: Outcome } | { readonly type: "replaced" };

export type ClaimAnswer<Outcome> =
  | ClaimEnd<Outcome>
  /** The key stands for another message. */
  | { readonly type: "conflict" }
  /** Ask the newer owner: we have sent nothing. */
  | { readonly type: "not_owner" }
  /** The store did not say in time if the key is free: this asker's message was not sent. */
  | { readonly type: "unavailable" }
  /** The store has no room for another key: nothing was sent. */
  | { readonly type: "full" }
  /** The key has been claimed, and nobody has learned in time how that ended: it may have been sent. */
  | { readonly type: "undecided" };

export interface Asker {
  readonly seq: number;
  /** By the clock that never goes back, in milliseconds. */
  readonly deadline: number;
}

export type ClaimEffect<Outcome> =
  /** Write, or with `undefined` delete, if `after` is the key's revision (0: none); report `written`. */
  | {
      readonly type: "write";
      readonly key: string;
      readonly after: number;
      readonly value: ClaimValue<Outcome> | undefined;
    }
  /** Read the record from the leader; report `found`. */
  | { readonly type: "look"; readonly key: string }
  /** Send this asker's message; report `ended`. */
  | { readonly type: "send"; readonly key: string; readonly seq: number }
  /** `isReplayed`: it is the end of an earlier request. */
  | {
      readonly type: "answer";
      readonly seq: number;
      readonly answer: ClaimAnswer<Outcome>;
      readonly isReplayed: boolean;
    };

/**
 * The end of a write: the new revision, lost to somebody else, no room for another key, not taken by the store, or not
 * known in time.
 */
export type ClaimWritten = number | "lost" | "full" | "missed" | "unknown";

export interface ClaimRecord<Outcome> {
  readonly value: ClaimValue<Outcome>;
  readonly revision: number;
}

/** The owner that claims. */
export interface Claimant {
  readonly term: number;
  /** True if the owner of this older term has released it, and goes on receiving what it had sent. */
  wasReleased(term: number): boolean;
  /** A text that no other claim has. */
  attempt(): string;
}

/** Time from one look at another owner's claim to the next, and until what failed is tried again. */
const AGAIN_MS = 250;
/** How long an end is offered to a store that does not take it, and a claim is looked for that it may have taken. */
const STORE_FOR_MS = 30_000;
/** The most claims that are looked for though nobody asks: beyond that, such a key may stay claimed for its life. */
const DOUBTS_MAX = 256;

/** How a key ended is offered to the store before anybody is told. */
interface Storing<Outcome> {
  readonly name: "storing";
  readonly doing: "write" | "look" | "wait";
  readonly revision: number;
  readonly end: ClaimEnd<Outcome> | undefined;
  readonly answer: ClaimAnswer<Outcome>;
  readonly giveUpAt: number;
  readonly until: number;
}

type ClaimPhase<Outcome> =
  /** Nothing is on its way until then. */
  | { readonly name: "waiting"; readonly until: number }
  | { readonly name: "claiming" | "looking" | "marking" }
  | { readonly name: "sending"; readonly revision: number; readonly seq: number }
  | Storing<Outcome>;

class KeyedRequest<Outcome> {
  readonly key: string;
  readonly digest: string;
  readonly attempt: string;
  askers: Asker[];
  /** Set once there was a record. */
  isClaimed = false;
  /** Set if the store may have taken our claim and nobody said so: until then it is looked for, whoever asks. */
  doubtUntil: number | undefined;
  phase: ClaimPhase<Outcome> = { name: "claiming" };

  constructor(key: string, digest: string, attempt: string, asker: Asker) {
    this.key = key;
    this.digest = digest;
    this.attempt = attempt;
    this.askers = [asker];
  }
}

/**
 * At most one write, look or message of each key is on its way. Every input returns effects; call `tick` about every
 * 50 ms while `size` is not 0.
 */
export class Claims<Outcome> {
  readonly #claimant: Claimant;
  readonly #requests = new TransientMap<string, KeyedRequest<Outcome>>();
  #effects: ClaimEffect<Outcome>[] = [];
  #storing = 0;

  constructor(claimant: Claimant) {
    this.#claimant = claimant;
  }

  get size(): number {
    return this.#requests.size;
  }

  /** True while the store is offered an end that it has not taken, also from one attempt to the next. */
  get isStoring(): boolean {
    return this.#storing > 0;
  }

  /** True until the key has an end that is stored, or that nobody waits for. */
  has(key: string): boolean {
    return this.#requests.has(key);
  }

  /** True once the message of a key was sent: nobody who asks for it sends it again. */
  isSent(key: string): boolean {
    const name = this.#requests.get(key)?.phase.name;
    return name === "sending" || name === "storing";
  }

  /** True if the message of a key was sent, here or by another owner that has claimed it: nobody may say `no` of it. */
  mayBeSent(key: string): boolean {
    const request = this.#requests.get(key);
    if (!request) return false;
    const { phase } = request;
    return phase.name === "storing" ? phase.end !== undefined : phase.name === "sending" || request.isClaimed;
  }

  /** @param digest of the message */
  ask(key: string, digest: string, asker: Asker): readonly ClaimEffect<Outcome>[] {
    return this.#step(() => {
      const present = this.#requests.get(key);
      if (!present) {
        const request = new KeyedRequest<Outcome>(key, digest, this.#claimant.attempt(), asker);
        this.#requests.set(key, request);
        this.#claim(request);
      } else if (present.digest === digest) present.askers.push(asker);
      else this.#tell(asker, { type: "conflict" });
    });
  }

  written(key: string, outcome: ClaimWritten, now: number): readonly ClaimEffect<Outcome>[] {
    return this.#with(key, (request) => {
      const { phase } = request;
      if (phase.name === "claiming" && outcome === "unknown") request.doubtUntil ??= now + STORE_FOR_MS;
      if (phase.name === "storing") this.#onStored(request, phase, outcome, now);
      else if (phase.name === "marking" && typeof outcome === "number") this.#answer(request, { type: "replaced" });
      else if (phase.name === "claiming" && typeof outcome === "number") this.#send(request, outcome, now);
      else if (phase.name === "claiming" && outcome === "full") this.#answer(request, { type: "full" });
      else if (outcome === "lost") {
        request.isClaimed = true;
        this.#look(request);
      } else this.#wait(request, now);
    });
  }

  found(
    key: string,
    record: ClaimRecord<Outcome> | undefined | "unknown",
    now: number,
  ): readonly ClaimEffect<Outcome>[] {
    return this.#with(key, (request) => {
      const { phase } = request;
      if (phase.name === "storing") this.#onStoreFound(request, phase, record, now);
      else if (phase.name !== "looking") return;
      else if (record === "unknown") this.#wait(request, now);
      else if (!record) this.#claim(request);
      else this.#onClaimed(request, record, now);
    });
  }

  /** @param isUnsent true if the message was certainly not sent, so that its key is free again */
  ended(key: string, outcome: Outcome, isUnsent: boolean, now: number): readonly ClaimEffect<Outcome>[] {
    return this.#with(key, (request) => {
      if (request.phase.name !== "sending") return;
      const end: ClaimEnd<Outcome> = { type: "outcome", outcome };
      this.#store(request, request.phase.revision, isUnsent ? undefined : end, end, now);
    });
  }

  /** The asker does not wait any more. What was sent goes on. */
  abandon(seq: number): void {
    for (const request of this.#requests.values()) request.askers = request.askers.filter((asker) => asker.seq !== seq);
  }

  tick(now: number): readonly ClaimEffect<Outcome>[] {
    return this.#step(() => {
      let doubts = 0;
      for (const request of [...this.#requests.values()]) {
        const isInDoubt = request.doubtUntil !== undefined && now < request.doubtUntil;
        if (isInDoubt && request.askers.length === 0) doubts++;
        this.#onTime(request, now, isInDoubt && doubts <= DOUBTS_MAX);
      }
    });
  }

  #step(input: () => void): readonly ClaimEffect<Outcome>[] {
    this.#effects = [];
    input();
    return this.#effects;
  }

  #with(key: string, input: (request: KeyedRequest<Outcome>) => void): readonly ClaimEffect<Outcome>[] {
    return this.#step(() => {
      const request = this.#requests.get(key);
      if (request) input(request);
    });
  }

  /** A claim that is won again, and given back, leaves a revision: one that comes late after it is refused. */
  #claim(request: KeyedRequest<Outcome>): void {
    const { key, digest, attempt } = request;
    request.phase = { name: "claiming" };
    this.#effects.push({ type: "write", key, after: 0, value: { digest, term: this.#claimant.term, attempt } });
  }

  #look(request: KeyedRequest<Outcome>): void {
    request.phase = { name: "looking" };
    this.#effects.push({ type: "look", key: request.key });
  }

  #wait(request: KeyedRequest<Outcome>, now: number): void {
    request.phase = { name: "waiting", until: now + AGAIN_MS };
  }

  /** Nothing is sent for askers that have left. */
  #send(request: KeyedRequest<Outcome>, revision: number, now: number): void {
    const [asker] = request.askers;
    if (!asker) this.#store(request, revision, undefined, { type: "unavailable" }, now);
    else {
      request.phase = { name: "sending", revision, seq: asker.seq };
      this.#effects.push({ type: "send", key: request.key, seq: asker.seq });
    }
  }

  /** The key has a record. */
  #onClaimed(request: KeyedRequest<Outcome>, { value, revision }: ClaimRecord<Outcome>, now: number): void {
    const { key, digest, attempt } = request;
    request.isClaimed = true;
    request.doubtUntil = undefined;
    if (value.digest !== digest) this.#answer(request, { type: "conflict" });
    else if ("end" in value) this.#answer(request, value.end, true);
    else if (value.attempt === attempt) this.#send(request, revision, now);
    else if (value.term > this.#claimant.term) this.#answer(request, { type: "not_owner" });
    else if (this.#claimant.wasReleased(value.term)) this.#wait(request, now);
    else {
      request.phase = { name: "marking" };
      this.#effects.push({ type: "write", key, after: revision, value: { digest, end: { type: "replaced" } } });
    }
  }

  /** @param end undefined if nothing was sent, so that the record goes */
  #store(
    request: KeyedRequest<Outcome>,
    revision: number,
    end: ClaimEnd<Outcome> | undefined,
    answer: ClaimAnswer<Outcome>,
    now: number,
  ): void {
    const giveUpAt = now + STORE_FOR_MS;
    this.#storing++;
    this.#offer(request, { name: "storing", doing: "write", revision, end, answer, giveUpAt, until: giveUpAt });
  }

  #offer(request: KeyedRequest<Outcome>, phase: Storing<Outcome>): void {
    request.phase = phase;
    const { key, digest } = request;
    const value = phase.end && { digest, end: phase.end };
    this.#effects.push({ type: "write", key, after: phase.revision, value });
  }

  #onStored(request: KeyedRequest<Outcome>, phase: Storing<Outcome>, outcome: ClaimWritten, now: number): void {
    if (typeof outcome === "number") this.#answer(request, phase.answer);
    else if (outcome === "lost") this.#lookAgain(request, phase);
    else request.phase = { ...phase, doing: "wait", until: now + AGAIN_MS };
  }

  #lookAgain(request: KeyedRequest<Outcome>, phase: Storing<Outcome>): void {
    request.phase = { ...phase, doing: "look" };
    this.#effects.push({ type: "look", key: request.key });
  }

  /** A member that changed the record has decided how the key ended. */
  #onStoreFound(
    request: KeyedRequest<Outcome>,
    phase: Storing<Outcome>,
    record: ClaimRecord<Outcome> | undefined | "unknown",
    now: number,
  ): void {
    if (record === "unknown") request.phase = { ...phase, doing: "wait", until: now + AGAIN_MS };
    else if (record && record.value.digest !== request.digest) this.#answer(request, phase.answer);
    else if (record && "end" in record.value) this.#answer(request, record.value.end);
    else if (record && "attempt" in record.value && record.value.attempt === request.attempt)
      this.#offer(request, { ...phase, doing: "write", revision: record.revision });
    // It is gone, or another claim's: ours was deleted, or forgotten for its age.
    else this.#answer(request, phase.answer);
  }

  /** @param isInDoubt true if its claim is looked for though nobody asks */
  #onTime(request: KeyedRequest<Outcome>, now: number, isInDoubt: boolean): void {
    this.#answerOverdue(request, now);
    const { phase } = request;
    if (phase.name === "waiting" && now >= phase.until) {
      if (request.askers.length === 0 && !isInDoubt) this.#requests.delete(request.key);
      else this.#look(request);
    }
    if (phase.name !== "storing" || phase.doing !== "wait" || now < phase.until) return;
    if (now >= phase.giveUpAt) this.#answer(request, phase.answer);
    else this.#lookAgain(request, phase);
  }

  /** A message that is being sent has a deadline of its own, which ends it. */
  #answerOverdue(request: KeyedRequest<Outcome>, now: number): void {
    const { phase, askers } = request;
    const isSending = phase.name === "sending";
    const undecided: ClaimAnswer<Outcome> = { type: request.isClaimed || isSending ? "undecided" : "unavailable" };
    const answer = phase.name === "storing" ? phase.answer : undecided;
    const isOverdue = ({ seq, deadline }: Asker) => now >= deadline && !(isSending && phase.seq === seq);
    request.askers = askers.filter((asker) => !isOverdue(asker));
    for (const asker of askers) if (isOverdue(asker)) this.#tell(asker, answer);
  }

  #answer(request: KeyedRequest<Outcome>, answer: ClaimAnswer<Outcome>, isReplayed = false): void {
    this.#requests.delete(request.key);
    if (request.phase.name === "storing") this.#storing--;
    for (const asker of request.askers) this.#tell(asker, answer, isReplayed);
  }

  #tell({ seq }: Asker, answer: ClaimAnswer<Outcome>, isReplayed = false): void {
    this.#effects.push({ type: "answer", seq, answer, isReplayed });
  }
}
