import pTimeout from "p-timeout";
import type { UpstreamSettings } from "../../config/schema.ts";
import { shuttingDown, tooMany } from "../../core/exchange/failures.ts";
import { HOLD_MS } from "../../core/exchange/send-queue.ts";
import { type CallerOutcome, type Outcome, type RequestKind, repliesIn } from "../../core/outcome.ts";
import { deferred } from "../../core/util/deferred.ts";
import { type Failure, refused, SidesocketError } from "../../errors.ts";
import type { Body } from "../../protocols/protocol.ts";
import type { CloseCounts, FromThread, ProtocolTraits, ToThread, UpstreamDetails, UpstreamState } from "../contract.ts";
import { JournalPulls } from "./journal-pulls.ts";
import { LateReplies } from "./late-replies.ts";
import { type OpenStream, StreamedReplies, type StreamReader } from "./streamed-replies.ts";
import { JournalLives, UpstreamSubscriptions } from "./subscriptions.ts";
import { type Resident, type SidecarThread, THREAD_GRACE_MS } from "./supervised-thread.ts";
import { Waiters } from "./waiters.ts";

/** The host side of one upstream: who waits for what, and until when. */

export interface UpstreamRequest {
  readonly kind: RequestKind;
  readonly body: Body;
  readonly timeoutMs: number;
  /** The caller has left, when it aborts: the request is forgotten, and its promise rejects with the signal's reason. */
  readonly signal?: LeaveSignal | undefined;
}

/** The part of an AbortSignal that is needed here. */
export interface LeaveSignal {
  readonly aborted: boolean;
  readonly reason?: unknown;
  addEventListener(event: "abort", listener: () => void, options?: { readonly once: boolean }): void;
  removeEventListener(event: "abort", listener: () => void): void;
}

export type Cancelled = Pick<Extract<FromThread, { type: "cancelled" }>, "counts" | "unkept">;

type StateListener = (state: UpstreamState) => void;

export class UpstreamClient implements Resident {
  readonly name: string;
  readonly settings: UpstreamSettings;
  protocol: ProtocolTraits | undefined;
  readonly #thread: SidecarThread;
  readonly #waiters = new Waiters((seq) => this.#unanswered(seq));
  /** What the upstream says unasked. */
  readonly journals: JournalPulls;
  readonly subscriptions: UpstreamSubscriptions;
  readonly #streams: StreamedReplies;
  readonly #lives = new JournalLives();
  readonly #late = new LateReplies();
  readonly #inspections = new Map<number, (details: UpstreamDetails) => void>();
  readonly #listeners = new Set<StateListener>();
  readonly #opening = deferred<ProtocolTraits>();
  /** The exit's steps that wait for the thread's word. */
  readonly #drained = deferred<void>();
  readonly #closed = deferred<CloseCounts>();
  readonly #cancelled = deferred<Cancelled>();
  readonly #failing = deferred<Failure>();
  #replies = 0;
  #state: UpstreamState = { phase: "idle", attempts: 0 };
  #since = new Date();
  #stateAt = performance.now();
  /** Why nothing new is taken; undefined while it is. */
  #refusal: Failure | undefined;

  constructor(name: string, settings: UpstreamSettings, thread: SidecarThread) {
    this.name = name;
    this.settings = settings;
    this.#thread = thread;
    const post = (message: ToThread) => thread.post(message);
    this.journals = new JournalPulls(name, post);
    this.#streams = new StreamedReplies(name, post, (seq) => this.#outOfTime(seq));
    this.subscriptions = new UpstreamSubscriptions(name, settings.subscriptions, post);
    thread.add(name, this);
    this.#opening.promise.catch(() => {});
  }

  /** Resolves when the thread has made the upstream; rejects when it cannot, when no thread lives, or an exit begins. */
  get opened(): Promise<ProtocolTraits> {
    return this.#opening.promise;
  }

  /** For a request that has so much time, and waits no longer than for a connection. Then it rejects: `upstream_down`. */
  openedWithin(timeoutMs: number): Promise<ProtocolTraits> {
    const milliseconds = Math.min(timeoutMs, HOLD_MS);
    return pTimeout(this.opened, { milliseconds, message: refused("upstream_down", "its protocol is being loaded") });
  }

  /** Resolves, with the reason, when the protocol cannot be loaded, or the thread has died too often. */
  get failing(): Promise<Failure> {
    return this.#failing.promise;
  }

  /** The phase, since when, and what is known of the next attempt: as of now, without asking the thread. */
  get state(): UpstreamState & { readonly since: Date } {
    const { retryInMs, ...state } = this.#state;
    if (retryInMs === undefined) return { ...state, since: this.#since };
    const left = Math.max(0, Math.round(retryInMs - (performance.now() - this.#stateAt)));
    return { ...state, retryInMs: left, since: this.#since };
  }

  get inFlight(): number {
    return this.#waiters.size;
  }

  /** How many replies have come in all. */
  get replies(): number {
    return this.#replies;
  }

  onState(listener: StateListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Sends one message up and waits for how it ends. Failures come as outcomes; it rejects only when `signal` aborts. */
  request({ kind, body, timeoutMs, signal }: UpstreamRequest): Promise<CallerOutcome> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const refusal = this.#refusal ?? this.#tooMany();
    if (refusal) return Promise.resolve({ type: "failed", failure: refusal });
    const seq = this.#waiters.draw();
    const deadline = performance.now() + timeoutMs;
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiters.take(seq);
        this.#thread.post({ type: "abandon", upstream: this.name, seq });
        reject(signal?.reason);
      };
      const settle = (answer: CallerOutcome) => {
        signal?.removeEventListener("abort", leave);
        resolve(answer);
      };
      signal?.addEventListener("abort", leave, { once: true });
      // The thread settles it at the deadline, knowing whether the message was sent; the host only if the thread cannot.
      this.#waiters.add(seq, { settle, until: deadline + THREAD_GRACE_MS });
      const alone = this.#waiters.size === 1;
      this.#thread.post({ type: "request", upstream: this.name, seq, kind, body, deadline }, alone);
    });
  }

  /**
   * Sends one message up, and hands each frame of its reply on as it comes. `timeoutMs` is for the first one, or, of a
   * message that subscribes, until it is handed to the socket.
   * @returns the failure, where it was not taken
   */
  stream({ body, timeoutMs }: Pick<UpstreamRequest, "body" | "timeoutMs">, reader: StreamReader): OpenStream | Failure {
    const refusal = this.#refusal ?? this.#tooMany();
    return refusal ?? this.#streams.open(this.#waiters.draw(), body, timeoutMs, THREAD_GRACE_MS, reader);
  }

  /** What the thread knows of the upstream; undefined when it does not answer within `withinMs`. */
  inspect(withinMs: number): Promise<UpstreamDetails | undefined> {
    const seq = this.#waiters.draw();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#inspections.delete(seq);
        resolve(undefined);
      }, withinMs);
      this.#inspections.set(seq, (details) => {
        clearTimeout(timer);
        resolve(details);
      });
      this.#thread.post({ type: "inspect", upstream: this.name, seq });
    });
  }

  // The exit's steps, in their order. Each resolves when the thread says so; who calls bounds the waiting.

  drain(): Promise<void> {
    this.#refusal ??= shuttingDown;
    this.#opening.reject(new SidesocketError(shuttingDown));
    const unsent: Outcome = { type: "failed", failure: shuttingDown };
    for (const seq of this.#thread.withdraw(this.name)) this.#ended(seq, unsent);
    this.#order({ type: "drain", upstream: this.name });
    // Where nobody waits there is nothing to wait for, not even for the word of a thread that may hang.
    if (this.#waiters.size === 0) this.#drained.resolve();
    return this.#drained.promise;
  }

  /** Readers are told that it is over. @returns how many there were */
  stop(): number {
    const streams = this.#streams.stop();
    this.#order({ type: "stop", upstream: this.name });
    return this.journals.end("stopping") + streams;
  }

  /** May be called again with 0, to break what is still closing. */
  close(withinMs: number): Promise<CloseCounts> {
    this.#order({ type: "close", upstream: this.name, withinMs });
    return this.#closed.promise;
  }

  cancel(): Promise<Cancelled> {
    this.#order({ type: "cancel", upstream: this.name });
    return this.#cancelled.promise;
  }

  #order(step: ToThread): void {
    if (this.#thread.alive && this.protocol) this.#thread.post(step);
    else this.#nothingLeft();
  }

  /** There is no upstream on a thread, not yet or not any more, so the exit's steps have nothing to wait for. */
  #nothingLeft(): void {
    this.#drained.resolve();
    this.#closed.resolve({ code: null, by: null, forced: false });
    this.#cancelled.resolve({ counts: { no: 0, maybe: 0, yes: 0 }, unkept: 0 });
  }

  /** Ends whoever still waits when the thread did not: from here on nobody does. Gives their number. */
  abandonAll(): number {
    const left = this.#waiters.size;
    this.#failAll(() => ({ code: "cancelled", sent: "maybe", detail: "the service stopped before the reply came" }));
    this.#waiters.quieten();
    return left;
  }

  // What the thread says.

  openingMessages(): readonly ToThread[] {
    const open = { type: "open", upstream: this.name, settings: this.settings, life: this.#lives.next() } as const;
    return [open, ...this.subscriptions.openingMessages()];
  }

  receive(message: FromThread): void {
    switch (message.type) {
      case "settled":
        this.#replies += repliesIn(message.outcome);
        this.#ended(message.seq, message.outcome);
        break;
      case "begun":
        this.#streams.begin(message.seq);
        break;
      case "part":
        this.#streams.part(message.seq, message.body);
        break;
      case "late":
        this.#late.settle(message.seq, message.outcome);
        break;
      case "page":
        this.journals.receive(message.seq, message.page);
        break;
      case "subscription":
        this.subscriptions.receive(message.name, message.state);
        break;
      case "state":
        this.#become(message.state);
        break;
      case "opened":
        this.protocol = message.dialect;
        this.#opening.resolve(message.dialect);
        break;
      case "unusable":
        this.#unusable(message.detail);
        break;
      case "inspected":
        this.#inspections.get(message.seq)?.(message.details);
        this.#inspections.delete(message.seq);
        break;
      case "drained":
        this.#drained.resolve();
        break;
      case "closed":
        this.#closed.resolve(message.close);
        break;
      case "cancelled":
        this.#cancelled.resolve(message);
    }
  }

  crashed(detail: string, unposted: ReadonlySet<number>): void {
    const lastError = `the sidecar's thread died (${detail})`;
    const failure = { code: "sidecar_crashed", sent: "maybe", detail: lastError } as const;
    this.#late.failAll(failure);
    this.#failAll((seq) => (unposted.has(seq) ? { ...failure, sent: "no" } : failure));
    if (this.#refusal) this.#nothingLeft();
    else this.journals.renew();
    this.subscriptions.crashed();
    this.#become({ phase: "idle", attempts: 0, lastError });
  }

  lost(detail: string): void {
    // Only such as came after the thread's end are left: the others were failed with it.
    this.#giveUp({ code: "sidecar_crashed", sent: "no", detail });
    this.#become({ phase: "closed", attempts: 0, lastError: detail });
  }

  #unusable(detail: string): void {
    this.#giveUp({ code: "invalid_config", sent: "no", detail: `${this.name}: the protocol: ${detail}` });
    this.#nothingLeft();
  }

  /** Nothing is taken from here on. */
  #giveUp(failure: Failure): void {
    this.#refusal ??= failure;
    this.#failAll(() => failure);
    this.journals.end(failure);
    this.#failing.resolve(failure);
    this.#opening.reject(new SidesocketError(failure));
  }

  #become(state: UpstreamState): void {
    if (state.phase !== this.#state.phase) this.#since = new Date();
    this.#state = state;
    this.#stateAt = performance.now();
    for (const listener of this.#listeners) listener(state);
  }

  // Who waits.

  #tooMany(): Failure | undefined {
    const { in_flight } = this.settings.limits;
    const present = this.#waiters.size + this.#streams.size;
    return present < in_flight ? undefined : tooMany(present, in_flight);
  }

  #ended(seq: number, outcome: Outcome): void {
    if (!this.#streams.end(seq, outcome)) this.#settled(seq, outcome);
  }

  /** Whom we have told ourselves that no reply came in time learns of it later. */
  #settled(seq: number, outcome: Outcome): void {
    const waiter = this.#waiters.take(seq);
    if (waiter) waiter.settle(this.#late.outcomeFor(seq, outcome));
    else this.#late.settle(seq, outcome);
  }

  #failAll(failureOf: (seq: number) => Failure): void {
    for (const [seq, waiter] of this.#waiters.takeAll()) waiter.settle({ type: "failed", failure: failureOf(seq) });
    this.#streams.failAll(failureOf);
  }

  #unanswered(seq: number): void {
    this.#settled(seq, { type: "failed", failure: this.#outOfTime(seq) });
  }

  /** How a request fails whose thread has not said in time how it ended. */
  #outOfTime(seq: number): Failure {
    return this.#thread.withdraw(this.name, seq).length > 0 ? untold : unanswered;
  }
}

const untold: Failure = {
  code: "reply_timeout",
  sent: "no",
  detail: "the message could not be sent in time: the sidecar's thread was still being started",
};

const unanswered: Failure = {
  code: "reply_timeout",
  sent: "maybe",
  detail: "no reply came in time, and the sidecar's thread did not answer",
};
