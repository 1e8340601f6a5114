/** The exchange: which request a frame answers, and how each request ends. */
import type { UpstreamSettings } from "../../config/schema.ts";
import type { Failure, Sent } from "../../errors.ts";
import type { Body, Protocol, WireId } from "../../protocols/protocol.ts";
import type { Skeleton } from "../../protocols/skeleton.ts";
import type { Availability } from "../connection/availability.ts";
import type { Disconnect } from "../connection/disconnect.ts";
import type { ConfiguredBy, FrameOrigin } from "../connection/frame-origin.ts";
import { SignsOfLife } from "../connection/signs-of-life.ts";
import type { HeldAnswer } from "../messages/held-answers.ts";
import { type CancelCounts, type Counters, type Failed, zeroCounters } from "../outcome.ts";
import { Budget } from "../util/budget.ts";
import type { Add } from "./additions.ts";
import { Admission } from "./admission.ts";
import { ConfiguredIds } from "./configured-ids.ts";
import { DeliveryProofs } from "./delivery-proofs.ts";
import { Effects, type ExchangeEffect } from "./effects.ts";
import * as failures from "./failures.ts";
import { HeardFrames } from "./heard.ts";
import { InFlight } from "./in-flight.ts";
import { IncomingFrames } from "./incoming-frames.ts";
import { Reassembly } from "./reassembly.ts";
import { type Entry, isSent, type NewRequest, type Owner, type SentEntry } from "./request-table.ts";
import { SendQueue } from "./send-queue.ts";
import { TimedOut, type TimedOutEntry } from "./timed-out.ts";
import { type FillAnswer, UpstreamAnswers } from "./upstream-answers.ts";

export type { ExchangeEffect } from "./effects.ts";
export { HOLD_MS } from "./send-queue.ts";

type ExchangeLimits = Pick<
  UpstreamSettings["limits"],
  "in_flight" | "batch_items" | "request_bytes" | "buffered_bytes" | "reply_bytes" | "reply_pause" | "pace"
>;

/** The most frames that make one reply, unless the protocol states its own bound. */
const MAX_FRAMES = 1_000;

/** Puts values into what goes out. Each throws ValueMissing if one is not known. */
export interface ExchangeValues {
  readonly add?: Add;
  readonly fill?: FillAnswer;
}

/**
 * Pure: inputs are method calls with the time as an argument, outputs are effects in order. Each request ends exactly
 * once.
 *
 * `Admission` takes a request in, `InFlight` keeps it with all that belongs to it, and `SendQueue` hands it to the
 * socket as soon as it can. `IncomingFrames` takes the frames of the upstream. None of these knows the exchange, which
 * dispatches every input to those that it concerns.
 */
export class Exchange {
  readonly #protocol: Protocol;
  readonly #effects = new Effects();
  readonly #delivery = new DeliveryProofs();
  readonly #reassembly: Reassembly<Entry | TimedOutEntry>;
  /** `limits.reply_pause` */
  #pauseMs: number;
  readonly #heard: HeardFrames;
  readonly #signs: Pick<SignsOfLife, "of">;
  readonly #requests: InFlight;
  readonly #sendQueue: SendQueue;
  readonly #admission: Admission;
  readonly #timedOut: TimedOut;
  readonly #configured: ConfiguredIds;
  readonly #answers: UpstreamAnswers;
  readonly #incoming: IncomingFrames;
  readonly counters: Counters;

  /**
   * @param mask hides the secrets of the configuration in a text
   * @param configured the frames that the greeting and the heartbeat will send
   * @param values completes what goes out with values of the configuration and of the upstream's frames
   * @param signs what has come over each connection
   * @param counters counts on from what is there
   */
  constructor(
    protocol: Protocol,
    limits: ExchangeLimits,
    mask: (text: string) => string,
    configured: readonly Body[] = [],
    budget = Budget.alone(),
    values: ExchangeValues = {},
    signs: Pick<SignsOfLife, "of"> = new SignsOfLife(),
    counters: Counters = { ...zeroCounters },
  ) {
    this.counters = counters;
    this.#signs = signs;
    this.#heard = new HeardFrames(mask);
    this.#protocol = protocol;
    this.#pauseMs = limits.reply_pause;
    this.#reassembly = new Reassembly({
      maxFrames: protocol.maxFrames ?? MAX_FRAMES,
      maxBytes: limits.reply_bytes,
      pauseMs: limits.reply_pause,
      budget,
    });
    this.#requests = new InFlight(protocol, this.#reassembly, this.#delivery, this.#effects, this.counters, budget);
    this.#sendQueue = new SendQueue(this.#requests, limits.pace, this.#delivery, this.#heard, this.#effects);
    const expire = (now: number) => this.#expireDue(now);
    this.#admission = new Admission(protocol, limits, this.#requests, this.#sendQueue, expire, values.add);
    const cancellation = (wire: WireId, connection: number) => this.#requests.cancellation(wire, connection);
    this.#timedOut = new TimedOut(protocol, this.#reassembly, this.#delivery, cancellation);
    this.#configured = new ConfiguredIds(protocol, this.#requests, this.#delivery);
    this.#answers = new UpstreamAnswers(
      this.#configured,
      this.#sendQueue,
      this.#delivery,
      this.#effects,
      this.counters,
      limits.buffered_bytes,
      values.fill,
    );
    this.#incoming = new IncomingFrames({
      protocol,
      requests: this.#requests,
      configured: this.#configured,
      answers: this.#answers,
      timedOut: this.#timedOut,
      delivery: this.#delivery,
      heard: this.#heard,
      effects: this.#effects,
      counters: this.counters,
    });
    this.#configured.reserve(configured);
  }

  /** Follows other limits from here on, and reserves the ids of other frames of the configuration. */
  reconfigure(limits: ExchangeLimits, configured: readonly Body[], now: number): readonly ExchangeEffect[] {
    this.#answers.reconfigure(limits.buffered_bytes);
    this.#pauseMs = limits.reply_pause;
    this.#reassembly.reconfigure(limits.reply_bytes, limits.reply_pause);
    this.#sendQueue.reconfigure(limits.pace, now);
    this.#admission.reconfigure(limits);
    this.#configured.reserve(configured);
    return this.#flush(now);
  }

  get inFlight(): number {
    return this.#requests.table.size;
  }

  get inFlightMax(): number {
    return this.#admission.inFlightMax;
  }

  /** Milliseconds since the request came that was taken in before the others in flight; undefined without any. */
  firstInFlightAgeMs(now: number): number | undefined {
    const { firstArrivedAt } = this.#requests.table;
    return firstArrivedAt === undefined ? undefined : Math.round(now - firstArrivedAt);
  }

  /** True if a reply may still come over this connection. */
  awaits(connection: number): boolean {
    return this.#requests.table.awaits(connection);
  }

  /** True if the next frame on this connection may be taken for a reply, though it names no request. */
  owesNext(connection: number): boolean {
    return this.#requests.correlation.owesNext(connection);
  }

  /** How many requests on a socket may still get their reply. Streams do not count: one may go on without end. */
  get onTheWire(): number {
    return this.#requests.table.onTheWire;
  }

  /** True if a caller may still get a reply, streams aside. */
  get owesCallers(): boolean {
    return this.#requests.table.owesCallers;
  }

  get nextDeadline(): number | undefined {
    const { nextDeadline, correlation } = this.#requests;
    const ofReplies = earliest(nextDeadline, this.#reassembly.nextDeadline);
    const ofMessages = earliest(this.#sendQueue.pacedUntil, this.#admission.nextDeadline);
    return earliest(earliest(ofReplies, correlation.nextDeadline), ofMessages);
  }

  /** Takes a new request. `buffered`: bytes handed to the socket that it could not yet pass on. */
  request(owner: Owner, incoming: NewRequest, now: number, buffered: number): readonly ExchangeEffect[] {
    this.counters.requests++;
    return this.#admission.take(owner, incoming, now, buffered) ? this.#flush(now) : this.#effects.take();
  }

  /** Sends what can be sent now, and fails what can no longer be sent. */
  onAvailability(availability: Availability, now: number): readonly ExchangeEffect[] {
    if (this.#sendQueue.onAvailability(availability, now)) this.counters.connects++;
    if (availability.type === "down") this.#admission.failWaiting(failures.unavailable(availability, now));
    return this.#flush(now);
  }

  /** Fails every request that went out on a connection which has ended. */
  onLost(connection: number, why: Disconnect, now: number): readonly ExchangeEffect[] {
    for (const entry of this.#requests.table.sentOn(connection)) {
      this.#requests.fail(entry, failures.lost(this.#delivery.sent(entry), why, awaited(entry)));
    }
    for (const effect of this.#timedOut.onLost(connection, why)) this.#effects.push(effect);
    this.#delivery.end(connection);
    this.#requests.configured.onLost(connection);
    // Replies that an older connection owed do not concern the newest one.
    if (this.#delivery.isNewest(connection)) this.#requests.correlation.clear();
    this.#sendQueue.disconnect(connection, now);
    return this.#flush(now);
  }

  /** Takes a frame from the upstream. `buffered`: as for `request`. */
  onFrame(connection: number, frame: Body, now: number, buffered: number): readonly ExchangeEffect[] {
    this.#incoming.take(connection, frame, now, buffered);
    return this.#flush(now);
  }

  /**
   * Takes a large frame by its skeleton, if it is the whole reply to a caller's request.
   * @returns undefined if it is anything else; then nothing has changed
   */
  onLargeReply(connection: number, skeleton: Skeleton, now: number): readonly ExchangeEffect[] | undefined {
    return this.#incoming.takeLarge(connection, skeleton, now) ? this.#flush(now) : undefined;
  }

  /** Takes a frame that could not be taken apart, and is therefore no message of this protocol. */
  onUnreadable(frame: Body, why: string, now: number): readonly ExchangeEffect[] {
    this.#incoming.takeUnreadable(frame, why);
    return this.#flush(now);
  }

  // Frames of the configuration.

  /**
   * Gives a frame of the configuration an id of ours (see `ConfiguredIds`) and the protocol's form.
   * @returns the frame to write at once
   */
  adopt(connection: number, frame: Body, by: ConfiguredBy): Body {
    const adopted = this.#configured.adopt(connection, frame, by);
    return (typeof adopted === "string" ? this.#protocol.toWire?.(adopted, connection) : undefined) ?? adopted;
  }

  /** Finds out what a frame answers, or that it is answered, and changes nothing. Other frames have no origin. */
  originOf(connection: number, frame: Body): FrameOrigin | undefined {
    return this.#configured.originOf(connection, frame, this.#protocol.decode(frame, connection));
  }

  /** Takes the reply to a frame of the configuration that met a condition. */
  onConfiguredReply(connection: number, id: WireId): void {
    this.#configured.onReply(connection, id);
  }

  /**
   * Reports the outcome of a `write`; for a message of a series that the socket took, once the operating system has
   * taken it as well. `taken`: false if the socket refused the frame, so that it never left.
   */
  onWritten(entry: SentEntry, taken: boolean, now: number): readonly ExchangeEffect[] {
    // A message of a series may have ended meanwhile.
    if (!this.#requests.table.contains(entry)) return this.#effects.take();
    if (!taken) {
      this.#sendQueue.disconnect(entry.phase.connection, now);
      this.#requests.fail(entry, failures.notTaken);
    } else if (entry.confirms) {
      this.#delivery.confirm(entry);
      this.#effects.push({ type: "probe" });
    } else if (!entry.expectsReply) {
      this.#requests.complete(entry);
    }
    return this.#flush(now);
  }

  /** Takes the proof of a pong: the peer has the first `frames` of those that the connection was handed. */
  onProven(connection: number, frames: number, now: number): readonly ExchangeEffect[] {
    this.#delivery.prove(connection, frames);
    const { confirming } = this.#delivery;
    for (const entry of confirming) if (this.#delivery.sent(entry) === "yes") this.#requests.complete(entry);
    // Entries that were written after that ping need another. A superseded connection got its last one at that moment.
    const needsPing = (entry: SentEntry) => this.#delivery.isNewest(entry.phase.connection);
    if (confirming.size > 0 && [...confirming].some(needsPing)) this.#effects.push({ type: "probe" });
    return this.#flush(now);
  }

  /** Ends a request whose caller has left. Its reply, if one comes, is late. */
  abandon(seq: number, now: number): readonly ExchangeEffect[] {
    this.counters.abandoned += this.#admission.drop("caller", seq);
    this.#requests.abandon(seq, now);
    return this.#flush(now);
  }

  /** Drops the owner's requests that are not on a socket yet. @returns their numbers, of which none has an outcome */
  withdraw(owner: Owner): readonly number[] {
    this.counters.abandoned += this.#admission.drop(owner);
    return this.#requests.withdraw(owner);
  }

  /** Makes room: the reader of a stream has taken frames of this weight. */
  taken(seq: number, weight: number): void {
    this.#requests.taken(seq, weight);
  }

  /** Sends an answer whose message has been delivered. */
  answer({ connection, frame, adopt, fill }: HeldAnswer, now: number, buffered: number): readonly ExchangeEffect[] {
    this.#answers.send(connection, { frame, ...(adopt && { adopt }), ...(fill && { fill }) }, now, buffered);
    return this.#flush(now);
  }

  /** Takes a frame that came during the greeting, before there could be requests: what it brings are messages. */
  onEarlyFrame(connection: number, frame: Body, now: number, buffered: number): readonly ExchangeEffect[] {
    this.#incoming.takeEarly(connection, frame, now, buffered);
    return this.#flush(now);
  }

  /**
   * Builds the reply of a caller to a request of the upstream's, which is written at once, like an answer. `buffered`:
   * as for `request`.
   */
  replyTo(connection: number, request: Body, reply: string, buffered: number): Body | Failed {
    return this.#answers.replyTo(this.#protocol, connection, request, reply, buffered);
  }

  /** Counts a reply of a caller that was written. */
  onReplied(now: number): void {
    this.counters.answered++;
    this.#sendQueue.countOwnFrame(now);
  }

  /** Counts a frame that the connection sent by itself (greeting, heartbeat, ping, pong) for `limits.pace`. */
  onOwnFrame(now: number): void {
    this.#sendQueue.countOwnFrame(now);
  }

  /** Call when `nextDeadline` has come. */
  expire(now: number): readonly ExchangeEffect[] {
    this.#expireDue(now);
    return this.#flush(now);
  }

  #expireDue(now: number): void {
    const { onTheWire } = this.#requests.table;
    for (const entry of this.#requests.due(now)) this.#timeOut(entry, now, onTheWire);
    this.#admission.expireWaiting(now);
    for (const entry of this.#reassembly.stalled(now)) this.#stall(entry, now);
    if (!this.#requests.correlation.expire(now)) return;
    const detail = "a request timed out, and its late reply could have been mistaken for that of the next request";
    this.#effects.push({ type: "renew", detail });
  }

  /** Refuses new requests from here on, and fails those that are not on a socket. */
  drain(now: number): readonly ExchangeEffect[] {
    this.#admission.close();
    this.#sendQueue.failHeld(failures.shuttingDown);
    return this.#flush(now);
  }

  /** Fails the messages that are not on a socket: they will not go out from here. */
  giveUpHeld(failure: Failure, now: number): readonly ExchangeEffect[] {
    this.#admission.failWaiting(failure);
    this.#sendQueue.failHeld(failure, "caller");
    return this.#flush(now);
  }

  /** Fails every request in flight. */
  cancel(): { readonly effects: readonly ExchangeEffect[]; readonly counts: CancelCounts } {
    this.#admission.close();
    const counts: Record<Sent, number> = { no: 0, maybe: 0, yes: 0 };
    for (const entry of this.#requests.table.all()) {
      const sent = this.#delivery.sent(entry);
      counts[sent]++;
      this.#requests.fail(entry, failures.cancelled(sent, awaited(entry)));
    }
    this.#requests.correlation.clear();
    return { effects: this.#effects.take(), counts };
  }

  /** Takes in and hands over every message that can be sent, and returns all effects that were collected. */
  #flush(now: number): readonly ExchangeEffect[] {
    this.#admission.admitWaiting(now);
    this.#sendQueue.flush(now);
    return this.#effects.take();
  }

  /** @param waiting how many requests wait for their replies, with those that are due */
  #timeOut(entry: Entry, now: number, waiting: number): void {
    const waitedMs = entry.dueAt - entry.arrivedAt;
    if (!isSent(entry)) {
      const isOnTime = entry.dueAt < entry.deadline;
      this.#requests.fail(entry, isOnTime ? failures.notConnected(waitedMs) : failures.unsentInTime(waitedMs));
      return;
    }
    const sent = this.#delivery.sent(entry);
    const { connection, at: sentAt, heard } = entry.phase;
    const failure = failures.timedOut(sent, waitedMs, awaited(entry), {
      now,
      sentAt,
      frames: this.#reassembly.countOf(entry),
      heard: entry.expectsReply ? this.#heard.since(heard) : undefined,
      signs: this.#signs.of(connection),
      others: entry.streams ? waiting : waiting - 1,
    });
    if (!entry.streams) this.#timedOut.keep(entry);
    if (sent === "maybe") this.#effects.push({ type: "probe" });
    this.#requests.failEarly(entry, failure, now);
  }

  /** Ends a request, even one that timed out before, whose reply began and then paused for too long. */
  #stall(entry: Entry | TimedOutEntry, now: number): void {
    const failure = failures.stalled(this.#reassembly.countOf(entry), this.#pauseMs);
    if ("request" in entry) this.#requests.giveUp(entry, failure, now);
    else for (const effect of this.#timedOut.giveUp(entry, failure)) this.#effects.push(effect);
  }
}

function earliest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}

function awaited(entry: Entry): failures.Awaited {
  if (entry.confirms) return "pong";
  return entry.inSeries ? "room" : "reply";
}
