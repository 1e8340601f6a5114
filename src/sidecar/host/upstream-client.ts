/** The host side of one upstream. */

import pTimeout from "p-timeout";
import type { UpstreamSettings } from "../../config/schema.ts";
import type { RequestKey } from "../../core/cluster/claims.ts";
import { noMemory, shuttingDown, tooManyCallers } from "../../core/exchange/failures.ts";
import { HOLD_MS } from "../../core/exchange/send-queue.ts";
import type { Cursor } from "../../core/messages/journal.ts";
import { type CallerOutcome, countedBytes, type Outcome, type RequestKind, repliesIn } from "../../core/outcome.ts";
import { aroundInterval } from "../../core/util/backoff.ts";
import { deferred } from "../../core/util/deferred.ts";
import type { TraceContext } from "../../core/util/traceparent.ts";
import { type Failure, refused, SidesocketError } from "../../errors.ts";
import type { Body } from "../../protocols/protocol.ts";
import type {
  CloseCounts,
  FromThread,
  ProtocolTraits,
  TapeEntry,
  ThreadCluster,
  ThreadDetails,
  ThreadReport,
  ToThread,
  TracedFrame,
  UpstreamDetails,
  UpstreamState,
} from "../contract.ts";
import { BlockingLines } from "./blocking-lines.ts";
import { startCallSpan } from "./call-spans.ts";
import type { CallStats } from "./call-stats.ts";
import { type AnswerHeld, HeldThings } from "./held-things.ts";
import { EpochSequence } from "./journal-epochs.ts";
import { JournalPulls } from "./journal-pulls.ts";
import { LateReplies } from "./late-replies.ts";
import { PushTurns } from "./push-turns.ts";
import { Questions } from "./questions.ts";
import { ReportedState } from "./reported-state.ts";
import { type OpenStream, StreamedReplies, type StreamedRequest, type StreamReader } from "./streamed-replies.ts";
import { UpstreamSubscriptions } from "./subscriptions.ts";
import type { SidecarThread, ThreadClient } from "./supervised-thread.ts";
import type { ThreadBudget } from "./thread-budget.ts";
import { type Cancelled, ThreadConfirmations } from "./thread-confirmations.ts";
import { UpstreamCounts } from "./upstream-counts.ts";
import { Waiters } from "./waiters.ts";

/** The number of callers that may always wait for the thread, however few requests may be in flight. */
const CALLERS_AT_LEAST = 1_024;

/**
 * How long the thread may take to report the outcome of a request whose time is over, in milliseconds. It knows if the
 * message was sent and what was heard since, the host does not; a message of some megabytes keeps it busy for as long.
 */
const OUTCOME_GRACE_MS = 250;

/** The terms of every request or reply of a caller. */
interface OutgoingTerms {
  readonly timeoutMs: number;
  /** The trace that the caller's request is a part of, if it says so. */
  readonly trace?: TraceContext | undefined;
  /** Aborts when the caller leaves: the request is forgotten, and its promise rejects with the signal's reason. */
  readonly signal?: LeaveSignal | undefined;
}

export interface OutgoingRequest extends OutgoingTerms {
  readonly kind: RequestKind;
  readonly body: Body;
  /** Set if nothing answers it. Its kind is `send` or `confirm`. */
  readonly unanswered?: Unanswered | undefined;
  /** The Idempotency-Key, for an upstream that replicas share; ignored for any other. */
  readonly key?: RequestKey | undefined;
}

/** A message that nothing answers. */
interface Unanswered {
  /** Set for one of several that must go over one connection: that of those before it, undefined for the first. */
  readonly series?: { readonly connection: number | undefined };
}

/** A caller's reply to the upstream's request that is the message in this place. */
export interface OutgoingReply extends OutgoingTerms {
  readonly to: Cursor;
  readonly body: string;
}

/** The part of an AbortSignal that a request needs. */
export interface LeaveSignal {
  readonly aborted: boolean;
  readonly reason?: unknown;
  addEventListener(event: "abort", listener: () => void, options?: { readonly once: boolean }): void;
  removeEventListener(event: "abort", listener: () => void): void;
}

/** A recording of what connections exchange. */
export interface Tape {
  /** The most bytes that it takes. */
  readonly bytes: number;
  onEntry(entry: TapeEntry): void;
}

interface UpstreamClientOptions {
  /** Called with each frame. Without it, frames are not traced. */
  readonly onFrame?: ((frame: TracedFrame) => void) | undefined;
  readonly tape?: Tape | undefined;
  /** The upstream that this one is an instance of. */
  readonly of?: UpstreamClient | undefined;
  /** The cluster whose replicas share the upstream; undefined if it is this replica's alone. */
  readonly cluster?: ThreadCluster | undefined;
  /** Answers other replicas about what this one holds. */
  readonly answerHeld?: AnswerHeld | undefined;
}

/** Settles each request with the outcome that the thread reports, or with a failure if the thread reports none. */
export class UpstreamClient implements ThreadClient {
  readonly name: string;
  #settings: UpstreamSettings;
  /** Undefined until the thread has opened the upstream. */
  protocol: ProtocolTraits | undefined;
  #thread: SidecarThread;
  readonly #waiters = new Waiters((seq) => this.#failOverdue(seq));
  readonly journals: JournalPulls;
  readonly subscriptions: UpstreamSubscriptions;
  /** Undefined unless replicas share the upstream, so that one of them pushes its messages. */
  readonly pushes: PushTurns | undefined;
  /** Undefined unless replicas share the upstream. */
  readonly held: HeldThings | undefined;
  readonly lines: BlockingLines;
  readonly #streams: StreamedReplies;
  readonly #replayed = new Set<number>();
  readonly #epochs = new EpochSequence();
  readonly #late = new LateReplies();
  readonly #inspections = new Questions<ThreadDetails>();
  readonly #state = new ReportedState();
  readonly #opening = deferred<ProtocolTraits>();
  readonly #confirmations = new ThreadConfirmations();
  readonly #failing = deferred<Failure>();
  #replies = 0;
  /** The failure of new requests if only this upstream is ended, and the service goes on. */
  #leaving: Failure | undefined;
  /** The reason why nothing new is taken; undefined while new requests are. */
  #refusal: Failure | undefined;
  /** The reason why there is no thread for a while; undefined while there is one, or soon will be. */
  #down: Failure | undefined;
  /** Undefined unless frames are traced. */
  readonly #onFrame: ((frame: TracedFrame) => void) | undefined;
  /** Undefined unless what connections exchange is recorded. */
  readonly #tape: Tape | undefined;
  readonly #cluster: ThreadCluster | undefined;
  readonly counts: UpstreamCounts;
  readonly #reportListeners = new Set<(report: ThreadReport) => void>();

  constructor(
    name: string,
    settings: UpstreamSettings,
    thread: SidecarThread,
    { onFrame, tape, of, cluster, answerHeld }: UpstreamClientOptions = {},
  ) {
    this.name = name;
    this.counts = new UpstreamCounts(of?.counts);
    // Known before the thread is: it opens the upstream at once if it runs already.
    this.#onFrame = onFrame;
    this.#tape = tape;
    this.#cluster = cluster;
    this.#settings = settings;
    this.#thread = thread;
    const post = (message: ToThread) => this.#post(message);
    this.journals = new JournalPulls(name, post, (bytes) => this.#budget.arrived("pages", bytes));
    const begin = (trace?: TraceContext) => this.#beginStream(trace);
    this.#streams = new StreamedReplies(name, post, (seq) => this.#overdueFailure(seq), begin);
    this.subscriptions = new UpstreamSubscriptions(name, settings.subscriptions, post);
    this.pushes = cluster && new PushTurns(name, post);
    this.held = cluster && answerHeld && new HeldThings(name, post, answerHeld);
    this.lines = new BlockingLines(name, () => this.#thread, post);
    thread.add(name, this);
    this.#opening.promise.catch(() => {});
  }

  get settings(): UpstreamSettings {
    return this.#settings;
  }

  /** The calls of the host's callers, as they ended. */
  get calls(): CallStats {
    return this.counts.calls;
  }

  /**
   * Follows other settings of the same protocol from here on.
   * @param anew replaces the connection by one that follows them; the present one delivers what it owes
   */
  reconfigure(settings: UpstreamSettings, anew: boolean): void {
    const before = this.#settings.subscriptions;
    this.#settings = settings;
    this.#post({ type: "reconfigure", upstream: this.name, settings, anew });
    this.subscriptions.redeclare(before, settings.subscriptions);
  }

  /** Resolves when the thread has opened the upstream; rejects if it cannot, if no thread lives, or on an exit. */
  get opened(): Promise<ProtocolTraits> {
    return this.#opening.promise;
  }

  /** Like `opened`, for a request with this timeout. Rejects with `upstream_down` once it has waited for too long. */
  openedWithin(timeoutMs: number): Promise<ProtocolTraits> {
    const milliseconds = Math.min(timeoutMs, HOLD_MS);
    return pTimeout(this.opened, { milliseconds, message: refused("upstream_down", "its protocol is being loaded") });
  }

  /** Resolves with the failure when the protocol cannot be loaded, or its thread cannot be ended or kept alive. */
  get failing(): Promise<Failure> {
    return this.#failing.promise;
  }

  /** The phase, since when, and the time until the next attempt, all known without the thread. */
  get state(): UpstreamState & { readonly since: Date } {
    return this.#state.current;
  }

  /** True if replicas of a cluster share it. */
  get isShared(): boolean {
    return this.#cluster !== undefined;
  }

  get inFlight(): number {
    return this.#waiters.size;
  }

  /** True while a caller waits for something, or reads. */
  get isUsed(): boolean {
    const { subscriptions, journals } = this;
    return this.#waiters.size > 0 || this.#streams.size > 0 || journals.readers > 0 || subscriptions.isAwaited;
  }

  /** The thread that serves it at present. */
  get thread(): SidecarThread {
    return this.#thread;
  }

  /** The total number of replies. */
  get replies(): number {
    return this.#replies;
  }

  /** The failure of everything that needs the thread; undefined while there is one, or soon will be. */
  get down(): Failure | undefined {
    return this.#down && { ...this.#down, retryAfterMs: this.state.retryInMs };
  }

  /** Calls `listener` with what the user's modules print and throw. */
  onReport(listener: (report: ThreadReport) => void): void {
    this.#reportListeners.add(listener);
  }

  /** @returns a function that stops listening */
  onState(listener: (state: UpstreamState) => void): () => void {
    return this.#state.onChange(listener);
  }

  /** Sends a request. Failures are outcomes; the promise rejects only if `signal` aborts. */
  request(request: OutgoingRequest): Promise<CallerOutcome> {
    const { kind, body, unanswered } = request;
    const key = this.isShared ? request.key : undefined;
    if (unanswered) {
      const { series } = unanswered;
      return this.#call(request, body.length, (seq, deadline) => ({
        type: "send",
        upstream: this.name,
        seq,
        kind: kind === "confirm" ? kind : "send",
        body,
        deadline,
        inSeries: series !== undefined,
        over: series?.connection ?? 0,
        key,
      }));
    }
    return this.#call(request, body.length, (seq, deadline) => ({
      type: "request",
      upstream: this.name,
      seq,
      kind,
      body,
      deadline,
      key,
    }));
  }

  /** Replies to a request of the upstream's. Outcomes are those of a `send`. */
  reply(reply: OutgoingReply): Promise<CallerOutcome> {
    const { to, body } = reply;
    return this.#call(reply, body.length, (seq) => ({ type: "reply", upstream: this.name, seq, to, body }));
  }

  /** @param messageOf makes the message to the thread, of which one `settled` is the outcome */
  #call(
    { timeoutMs, trace, signal }: OutgoingTerms,
    bytes: number,
    messageOf: (seq: number, deadline: number) => ToThread,
  ): Promise<CallerOutcome> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    const { host } = this.#budget;
    const refusal = this.#refusal ?? this.down ?? this.#tooManyCallers() ?? this.#noMemory(bytes);
    if (refusal) return Promise.resolve({ type: "failed", failure: this.#refused(refusal, trace) });
    const endSpan = startCallSpan(this, trace);
    host.take("in_flight", bytes);
    const seq = this.#waiters.draw();
    const began = performance.now();
    const deadline = began + timeoutMs;
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiters.take(seq);
        host.give("in_flight", bytes);
        this.#thread.post({ type: "abandon", upstream: this.name, seq });
        endSpan?.(undefined);
        reject(signal?.reason);
      };
      const settle = (outcome: CallerOutcome) => {
        signal?.removeEventListener("abort", leave);
        host.give("in_flight", bytes);
        // The clock is read only for those that did not reply: a reply brings its time along.
        this.calls.ended(outcome, outcome.type === "reply" ? 0 : performance.now() - began);
        endSpan?.(outcome);
        resolve(outcome);
      };
      signal?.addEventListener("abort", leave, { once: true });
      // The thread settles it at its deadline, knowing whether it was sent; the host does only if the thread cannot.
      this.#waiters.add(seq, { settle, until: deadline + OUTCOME_GRACE_MS });
      const alone = this.#waiters.size === 1;
      this.#thread.post(messageOf(seq, deadline), alone);
    });
  }

  /**
   * Sends a request, and passes on each frame of its reply as it arrives.
   * @param request `timeoutMs` bounds the wait for the first frame or, if the request subscribes, for the socket;
   *   `idleMs` bounds each pause from then on
   * @returns the failure, if the request was refused
   */
  stream(request: StreamedRequest, reader: StreamReader): OpenStream | Failure {
    const { host } = this.#budget;
    const congested = host.refuses("streams") ? noMemory(host.limit, "another stream") : undefined;
    const refusal =
      this.#refusal ?? this.down ?? this.#tooManyCallers() ?? congested ?? this.#noMemory(request.body.length);
    if (refusal) return this.#refused(refusal, request.trace);
    return this.#streams.open(this.#waiters.draw(), request, OUTCOME_GRACE_MS, reader);
  }

  /** Counts a call that was refused at once. */
  #refused(failure: Failure, trace: TraceContext | undefined): Failure {
    this.calls.failed(failure);
    startCallSpan(this, trace)?.({ type: "failed", failure });
    return failure;
  }

  #beginStream(trace: TraceContext | undefined): (outcome: Outcome | undefined) => void {
    const endSpan = startCallSpan(this, trace);
    return (outcome) => {
      if (outcome) this.calls.ended(outcome);
      endSpan?.(outcome);
    };
  }

  /** @returns the details, most of which only the thread knows; undefined if it does not reply within `withinMs` */
  async inspect(withinMs: number): Promise<UpstreamDetails | undefined> {
    // A thread that is no more would let the caller wait in vain.
    if (this.#down || !this.#thread.alive) return undefined;
    const seq = this.#waiters.draw();
    const inspected = this.#inspections.add(seq, withinMs);
    this.#thread.post({ type: "inspect", upstream: this.name, seq });
    const details = await inspected;
    return details && { ...details, ...this.counts.all };
  }

  /** The exit's steps that follow are those of this upstream alone, because of `why`. */
  leave(why: string): void {
    this.#leaving = { code: "shutting_down", sent: "no", detail: why };
  }

  // The exit's steps, in their order. Each resolves when the thread reports it; the caller bounds the waiting.

  async drain(): Promise<void> {
    const refusal = this.#leaving ?? shuttingDown;
    this.#refusal ??= refusal;
    this.#opening.reject(new SidesocketError(refusal));
    const unsent: Outcome = { type: "failed", failure: refusal };
    for (const seq of this.#thread.withdraw(this.name)) this.#end(seq, unsent);
    this.#postStep({ type: "drain", upstream: this.name });
    this.lines.close();
    // If no request waits, there is nothing to drain: do not wait for the report of a thread that may hang. Only the
    // thread knows of the requests of other replicas.
    if (!this.#cluster && this.#waiters.size === 0 && this.lines.size === 0) this.#confirmations.drained.resolve();
    await Promise.all([this.#confirmations.drained.promise, this.subscriptions.settled(this.state.phase === "ready")]);
  }

  /** Ends all readers. @returns the number of readers */
  stop(): number {
    const streams = this.#streams.stop();
    this.pushes?.stop();
    this.#postStep({ type: "stop", upstream: this.name });
    return this.journals.end("stopping") + streams;
  }

  /** May be called again with 0, to break the connections that are still closing. */
  close(withinMs: number): Promise<CloseCounts> {
    this.#postStep({ type: "close", upstream: this.name, withinMs });
    return this.#confirmations.closed.promise;
  }

  cancel(): Promise<Cancelled> {
    this.#postStep({ type: "cancel", upstream: this.name });
    return this.#confirmations.cancelled.promise;
  }

  #postStep(step: ToThread): void {
    if (this.#thread.alive && this.protocol) this.#thread.post(step);
    else this.#confirmations.skip();
  }

  /** Fails every request that still waits, because the thread did not: none is left. @returns their number */
  abandonAll(): number {
    const left = this.#waiters.size;
    const detail = this.#leaving?.detail ?? "the service stopped before the reply came";
    this.#failAll(() => ({ code: "cancelled", sent: "maybe", detail }));
    this.#waiters.clearTimer();
    this.lines.end();
    return left;
  }

  /** Without a thread there is nothing to end at the upstream. */
  #post(message: ToThread): void {
    const isGone = this.#down !== undefined || !this.#thread.listens;
    if (isGone && message.type === "unsubscribe") this.subscriptions.removed(message.seq, undefined);
    else this.#thread.post(message);
  }

  /** Only an upstream that was never open can fail the start. */
  get #clusterNow(): ThreadCluster | undefined {
    const cluster = this.#cluster;
    return cluster && { ...cluster, keepsTrying: cluster.keepsTrying === true || this.protocol !== undefined };
  }

  // Messages and events of the thread.

  openingMessages(number: number): readonly ToThread[] {
    const { name: upstream, settings } = this;
    const epochs = this.#epochs.next();
    const open = {
      type: "open",
      upstream,
      number,
      settings,
      epochs,
      memory: this.#budget.memory,
      tally: this.counts.cells,
      cluster: this.#clusterNow,
      holder: this.held?.address,
      traces: this.#onFrame !== undefined,
      tapeBytes: this.#tape?.bytes,
    } as const;
    return [open, ...this.subscriptions.openingMessages(), ...this.lines.openingMessages()];
  }

  receive(message: FromThread): void {
    switch (message.type) {
      case "settled":
        this.#replies += repliesIn(message.outcome);
        this.#budget.arrived("answers", countedBytes(message.outcome));
        this.#end(message.seq, this.#leaving ? withReason(message.outcome, this.#leaving.detail) : message.outcome);
        break;
      case "replayed":
        this.#replayed.add(message.seq);
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
      case "unread":
        this.journals.unread(message.seq, message.failure);
        break;
      case "acknowledged":
        this.journals.acknowledged(message.seq, message.answered);
        break;
      case "pushing":
        this.pushes?.receive(message);
        break;
      case "kept":
        this.pushes?.kept(message.seq);
        break;
      case "traced":
        this.#onFrame?.(message.frame);
        break;
      case "taped":
        this.#tape?.onEntry(message.entry);
        break;
      case "subscription":
        this.subscriptions.receive(message.name, message.state);
        break;
      case "unsubscribed":
        this.subscriptions.removed(message.seq, message.failure);
        break;
      case "state":
        this.#state.set(message.state);
        break;
      case "connectionEnded":
        this.counts.connectionEnded(message.wasOpen, message.code);
        break;
      case "opened":
        this.protocol = message.protocol;
        this.#opening.resolve(message.protocol);
        break;
      case "unusable":
        this.#onUnusable(message.detail);
        break;
      case "inspected":
        this.#inspections.receive(message.seq, message.details);
        break;
      case "held":
      case "heldAsked":
      case "heldLeft":
        this.held?.receive(message);
        break;
      case "drained":
        this.#confirmations.drained.resolve();
        break;
      case "closed":
        this.#confirmations.closed.resolve(message.close);
        break;
      case "cancelled":
        this.#confirmations.cancelled.resolve(message);
    }
  }

  crashed(detail: string, unposted: ReadonlySet<number>): void {
    this.#budget.crashed();
    // The next thread must not open it again.
    if (this.#leaving) this.#thread.remove(this.name);
    const lastError = `the sidecar's thread died (${detail})`;
    const failure = { code: "sidecar_crashed", sent: "maybe", detail: lastError } as const;
    this.#late.failAll(failure);
    this.#replayed.clear();
    this.#failAll((seq) => (unposted.has(seq) ? { ...failure, sent: "no" } : failure));
    if (this.#refusal) this.#confirmations.skip();
    else this.journals.repost();
    this.subscriptions.crashed(failure);
    this.pushes?.crashed();
    this.held?.crashed();
    this.lines.crashed();
    this.#state.set({ phase: "idle", attempts: 0, lastError });
  }

  /** An upstream that was never open is a mistake in the configuration: the start fails, like that of any other. */
  refused(detail: string): number | undefined {
    if (!this.protocol) {
      this.lost(detail);
      return undefined;
    }
    const retryInMs = aroundInterval(this.settings.reconnect.refused, Math.random());
    this.#state.set({ phase: "refused", attempts: 0, lastError: detail, retryInMs });
    this.#down = { code: "upstream_down", sent: "no", detail };
    const unsent: Outcome = { type: "failed", failure: this.#down };
    for (const seq of this.#thread.withdraw(this.name)) this.#end(seq, unsent);
    return retryInMs;
  }

  tried(): void {
    this.#down = undefined;
    this.journals.repost();
    this.#state.set({ ...this.#state.current, phase: "idle", retryInMs: undefined });
  }

  get #budget(): ThreadBudget {
    return this.#thread.budget;
  }

  moved(thread: SidecarThread): void {
    this.#thread = thread;
  }

  report(report: ThreadReport): void {
    for (const listener of this.#reportListeners) listener(report);
  }

  lost(detail: string): void {
    // Only requests made after the thread's end are left, none of them sent: the others failed with the thread.
    this.#giveUp({ code: "sidecar_crashed", sent: "no", detail });
    this.#state.set({ phase: "closed", attempts: 0, lastError: detail });
  }

  #onUnusable(detail: string): void {
    this.#giveUp({ code: "invalid_config", sent: "no", detail: `${this.name}: ${detail}` });
    this.#confirmations.skip();
  }

  /** Refuses everything from here on. */
  #giveUp(failure: Failure): void {
    this.#refusal ??= failure;
    this.#failAll(() => failure);
    this.lines.end();
    this.journals.end(failure);
    this.#failing.resolve(failure);
    this.#opening.reject(new SidesocketError(failure));
  }

  // Outcomes.

  /**
   * Bounds the callers that wait for the thread, even one that hangs. The thread itself enforces `limits.in_flight`: it
   * counts a batch as its items, and lets batches wait, which may be more of them than the cap.
   */
  #tooManyCallers(): Failure | undefined {
    const most = Math.max(this.settings.limits.in_flight, CALLERS_AT_LEAST);
    return this.#waiters.size + this.#streams.size < most ? undefined : tooManyCallers(most);
  }

  #noMemory(bytes: number): Failure | undefined {
    const { host } = this.#budget;
    return host.hasRoomFor("in_flight", bytes) ? undefined : noMemory(host.limit);
  }

  #end(seq: number, outcome: Outcome): void {
    if (!this.#streams.end(seq, outcome)) this.#settle(seq, outcome);
  }

  /** A caller whose request the host itself has timed out receives the thread's outcome as a late one. */
  #settle(seq: number, outcome: Outcome): void {
    const waiter = this.#waiters.take(seq);
    const isReplayed = this.#replayed.size > 0 && this.#replayed.delete(seq);
    if (waiter && isReplayed) waiter.settle({ ...outcome, isReplayed });
    else if (waiter) waiter.settle(this.#late.outcomeFor(seq, outcome));
    else this.#late.settle(seq, outcome);
  }

  #failAll(failureOf: (seq: number) => Failure): void {
    for (const [seq, waiter] of this.#waiters.takeAll()) waiter.settle({ type: "failed", failure: failureOf(seq) });
    this.#streams.failAll(failureOf);
  }

  #failOverdue(seq: number): void {
    this.#settle(seq, { type: "failed", failure: this.#overdueFailure(seq) });
  }

  /** The failure of a request whose outcome the thread has not reported in time. */
  #overdueFailure(seq: number): Failure {
    return this.#thread.withdraw(this.name, seq).length > 0 ? unposted : unreported;
  }
}

/** The outcome with the reason why the upstream ended, in place of the exit of the service. */
function withReason(outcome: Outcome, detail: string): Outcome {
  if (outcome.type === "batch")
    return { ...outcome, items: outcome.items.map((item) => withReason(item, detail) as typeof item) };
  if (outcome.type !== "failed") return outcome;
  const { code } = outcome.failure;
  return code === "shutting_down" || code === "cancelled"
    ? { ...outcome, failure: { ...outcome.failure, detail } }
    : outcome;
}

const unposted: Failure = {
  code: "reply_timeout",
  sent: "no",
  detail: "the message could not be sent in time: the sidecar's thread was still being started",
};

const unreported: Failure = {
  code: "reply_timeout",
  sent: "maybe",
  detail: "no reply came in time, and the sidecar's thread did not respond",
};
