/** The exchange: which request a frame answers, and how each request ends. */
import type { UpstreamSettings } from "../../config/schema.ts";
import type { Sent } from "../../errors.ts";
import type {
  AnswerForm,
  Body,
  DecodedMessage,
  FrameWithId,
  Protocol,
  ReplyFrame,
  WireId,
} from "../../protocols/protocol.ts";
import type { Availability } from "../connection/availability.ts";
import { ValueMissing } from "../connection/captured-texts.ts";
import type { Disconnect } from "../connection/disconnect.ts";
import type { ConfiguredBy, FrameOrigin } from "../connection/frame-origin.ts";
import { SignsOfLife } from "../connection/signs-of-life.ts";
import type { HeldAnswer } from "../messages/held-answers.ts";
import { type CancelCounts, type Counters, zeroCounters } from "../outcome.ts";
import { Budget } from "../util/budget.ts";
import type { Add } from "./additions.ts";
import { Admission, sizeOf } from "./admission.ts";
import type { ConfiguredFrame } from "./configured-frames.ts";
import { DeliveryProofs } from "./delivery-proofs.ts";
import { Effects, type ExchangeEffect } from "./effects.ts";
import * as failures from "./failures.ts";
import { HeardFrames } from "./heard.ts";
import { InFlight } from "./in-flight.ts";
import { Reassembly } from "./reassembly.ts";
import { type Entry, isSent, type NewRequest, type Owner, type SentEntry } from "./request-table.ts";
import { SendQueue } from "./send-queue.ts";
import { TimedOut, type TimedOutEntry } from "./timed-out.ts";

export type { ExchangeEffect } from "./effects.ts";
export { HOLD_MS } from "./send-queue.ts";

const REQUEST: FrameOrigin = { type: "request" };
const ANSWERED: FrameOrigin = { type: "answered" };

type ExchangeLimits = Pick<
  UpstreamSettings["limits"],
  "in_flight" | "batch_items" | "buffered_bytes" | "reply_bytes" | "reply_pause" | "pace"
>;

/** The most frames that make one reply, unless the protocol states its own bound. */
const MAX_FRAMES = 1_000;

/** Puts values into what goes out. Each throws ValueMissing if one is not known. */
export interface ExchangeValues {
  readonly add?: Add;
  /** Fills an answer, which is a text or JSON. */
  fill?(connection: number, frame: string, form: AnswerForm): string;
}

/** Facts of a frame that is a message. */
interface MessageFacts {
  readonly json?: true | undefined;
  /** The answer that waits for its delivery. */
  readonly answer?: HeldAnswer | undefined;
  /** The reason why it answers nothing, if that is remarkable. */
  readonly why?: string | undefined;
}

/**
 * Pure: inputs are method calls with the time as an argument, outputs are effects in order. Each request ends exactly
 * once.
 *
 * `Admission` takes a request in, `InFlight` keeps it with all that belongs to it, and `SendQueue` hands it to the
 * socket as soon as it can. None of these knows the exchange, which dispatches every input to those that it concerns.
 */
export class Exchange {
  readonly #protocol: Protocol;
  /** `limits.buffered_bytes` */
  #bufferedMax: number;
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
  readonly counters: Counters = { ...zeroCounters };
  readonly #values: ExchangeValues;
  /** Answers that were not sent, because a value in them was not known. */
  unfilled = 0;

  /**
   * @param mask hides the secrets of the configuration in a text
   * @param configured the frames that the greeting and the heartbeat will send
   * @param values completes what goes out with values of the configuration and of the upstream's frames
   * @param signs what has come over each connection
   */
  constructor(
    protocol: Protocol,
    limits: ExchangeLimits,
    mask: (text: string) => string,
    configured: readonly Body[] = [],
    budget = Budget.alone(),
    values: ExchangeValues = {},
    signs: Pick<SignsOfLife, "of"> = new SignsOfLife(),
  ) {
    this.#values = values;
    this.#signs = signs;
    this.#heard = new HeardFrames(protocol, mask);
    this.#protocol = protocol;
    this.#bufferedMax = limits.buffered_bytes;
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
    this.#timedOut = new TimedOut(protocol, this.#reassembly, this.#delivery);
    this.#reserve(configured);
  }

  /** Follows other limits from here on, and reserves the ids of other frames of the configuration. */
  reconfigure(limits: ExchangeLimits, configured: readonly Body[], now: number): readonly ExchangeEffect[] {
    this.#bufferedMax = limits.buffered_bytes;
    this.#pauseMs = limits.reply_pause;
    this.#reassembly.reconfigure(limits.reply_bytes, limits.reply_pause);
    this.#sendQueue.reconfigure(limits.pace, now);
    this.#admission.reconfigure(limits);
    this.#reserve(configured);
    return this.#flush(now);
  }

  #reserve(configured: readonly Body[]): void {
    for (const frame of configured) {
      const id = this.#protocol.adopt?.(frame, 0)?.id;
      if (id !== undefined) this.#requests.configured.reserve(id);
    }
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

  /** How many requests on a socket may still get their reply. Streams do not count: one may go on without end. */
  get onTheWire(): number {
    return this.#requests.table.onTheWire;
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
    const decoded = this.#protocol.decode(frame);
    if (decoded.type !== "several") this.#onDecoded(connection, decoded, frame, now, buffered);
    else {
      for (const each of decoded.results) {
        // A message among several is not the frame, as far as the protocol says which part of it is.
        const part = "render" in each && each.render ? each.render(undefined) : frame;
        this.#onDecoded(connection, each, part, now, buffered);
      }
    }
    return this.#flush(now);
  }

  /** Takes a frame that could not be taken apart, and is therefore no message of this protocol. */
  onUnreadable(connection: number, frame: Body, why: string, now: number): readonly ExchangeEffect[] {
    this.#onDecoded(connection, { type: "noise", why }, frame, now, 0);
    return this.#flush(now);
  }

  #onDecoded(connection: number, decoded: DecodedMessage, frame: Body, now: number, buffered: number): void {
    switch (decoded.type) {
      case "message":
        this.#message(decoded.render ? decoded.render(undefined) : frame, { json: decoded.json });
        break;
      case "noise":
        this.counters.noise++;
        this.#message(frame, { why: decoded.why });
        break;
      case "answer": {
        const { deliveredWithinMs: withinMs, adopt = false, fill } = decoded;
        const json = decoded.keep === "json" ? true : undefined;
        if (withinMs !== undefined) {
          this.#message(frame, { json, answer: { connection, frame: decoded.frame, adopt, fill, withinMs } });
          break;
        }
        // Keep it first: the upstream may forget what was answered.
        if (decoded.keep) this.#message(frame, { json });
        this.#replyToUpstream(connection, decoded, now, buffered);
        break;
      }
      case "error":
        this.#failUnnamed(connection, decoded, now);
        this.#message(frame);
        break;
      default:
        this.#onFrameWithId(connection, decoded, frame, now);
    }
  }

  // Frames of the configuration.

  /**
   * Gives a frame of the configuration an id of ours in place of its own, so that no request can have the same. Returns
   * the frame to write at once, unchanged if it carries no id.
   */
  adopt(connection: number, frame: Body, by: ConfiguredBy): Body {
    const adopt = (id: number) => this.#protocol.adopt?.(frame, id);
    const carried = adopt(0);
    if (carried === undefined) return frame;
    const id = carried.id ?? this.#requests.correlation.draw();
    const adopted = typeof id === "number" ? (adopt(id) ?? carried) : carried;
    this.#requests.configured.add(connection, id, by, carried.own);
    return adopted.frame;
  }

  /** Finds out what a frame answers, or that it is answered, and changes nothing. Other frames have no origin. */
  originOf(connection: number, frame: Body): FrameOrigin | undefined {
    const decoded = this.#protocol.decode(frame);
    if (decoded.type === "answer") return ANSWERED;
    if (this.#protocol.correlation === "order" || !("id" in decoded)) return undefined;
    const { id } = decoded;
    const { configured, correlation } = this.#requests;
    const found = configured.find(connection, id);
    if (found) {
      const isReply = decoded.type === "reply" || decoded.type === "invalid";
      return { type: "configured", by: found.by, id, body: rendered(decoded, frame, found), isReply };
    }
    const ofRequest = correlation.find(connection, id) !== undefined;
    return ofRequest || (this.#delivery.isNewest(connection) && correlation.isTaken(id)) ? REQUEST : undefined;
  }

  /** Takes the reply to a frame of the configuration that met a condition. */
  onConfiguredReply(connection: number, id: WireId): void {
    this.#requests.configured.onReply(connection, id);
  }

  /** Reports the outcome of a `write`. `taken`: false if the socket refused the frame, so that it never left. */
  onWritten(entry: SentEntry, taken: boolean, now: number): readonly ExchangeEffect[] {
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
    this.#replyToUpstream(connection, { frame, ...(adopt && { adopt }), ...(fill && { fill }) }, now, buffered);
    return this.#flush(now);
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

  // Frames.

  #onFrameWithId(connection: number, decoded: FrameWithId, frame: Body, now: number): void {
    const entry = this.#requests.correlation.find(connection, decoded.id);
    const configured = entry ? undefined : this.#requests.configured.find(connection, decoded.id);
    if (configured) {
      this.#onConfiguredFrame(connection, configured, decoded, frame);
    } else if (decoded.type === "progress") {
      if (entry) entry.phase.acknowledged = true;
      this.#message(frame);
    } else if (entry) {
      this.#requests.onReplyFrame(entry, decoded, now);
    } else {
      this.#stray(connection, decoded, frame, now);
    }
  }

  /**
   * Takes a frame that answers one of the configuration's and met no condition. The reply is counted and dropped. Any
   * other frame is a message: a greeting may have subscribed.
   */
  #onConfiguredFrame(connection: number, configured: ConfiguredFrame, decoded: FrameWithId, frame: Body): void {
    const isReply = decoded.type === "reply" || decoded.type === "invalid";
    if (!isReply || configured.answered) {
      this.#message(rendered(decoded, frame, configured));
      return;
    }
    this.counters.late++;
    this.#requests.configured.onReply(connection, decoded.id);
  }

  #stray(connection: number, decoded: ReplyFrame, frame: Body, now: number): void {
    const newest = this.#delivery.isNewest(connection);
    const stray = this.#requests.correlation.stray(decoded.id, newest, decoded.type !== "part", now);
    if (stray !== "message") this.counters[stray]++;
    if (stray === "late") {
      for (const effect of this.#timedOut.onReplyFrame(connection, decoded, now)) this.#effects.push(effect);
    } else {
      this.#message(frame);
    }
  }

  /** Fails the requests that an error without an id may refer to. */
  #failUnnamed(connection: number, { fails, error }: Extract<DecodedMessage, { type: "error" }>, now: number): void {
    const sent = this.#requests.table.sentOn(connection).sort((a, b) => a.phase.order - b.phase.order);
    if (fails === "only" && sent.length !== 1) return;
    for (const entry of fails === "all" ? sent : sent.slice(0, 1)) {
      const failure = failures.unnamed(this.#delivery.sent(entry), fails, error && this.#heard.shown(error));
      this.#requests.failEarly(entry, failure, now, error);
    }
  }

  /** Replies to an upstream that requests faster than it reads would pile up: `limits.buffered_bytes` bounds them. */
  #replyToUpstream(
    connection: number,
    answer: Pick<Extract<DecodedMessage, { type: "answer" }>, "frame" | "adopt" | "fill">,
    now: number,
    buffered: number,
  ) {
    const frame = this.#filled(connection, answer);
    if (frame === undefined) {
      this.unfilled++;
      return;
    }
    if (buffered + sizeOf(frame) > this.#bufferedMax) {
      // An older connection is being closed already.
      if (this.#delivery.isNewest(connection))
        this.#sendQueue.renew(connection, now, "the upstream sends requests and does not read the replies");
      return;
    }
    this.counters.answered++;
    this.#effects.push({
      type: "send",
      connection,
      frame: answer.adopt ? this.adopt(connection, frame, "answer") : frame,
    });
  }

  /** @returns undefined if a value is not known */
  #filled(connection: number, { frame, fill }: Pick<HeldAnswer, "frame" | "fill">): Body | undefined {
    if (fill === undefined || this.#values.fill === undefined || typeof frame !== "string") return frame;
    try {
      return this.#values.fill(connection, frame, fill);
    } catch (error) {
      if (error instanceof ValueMissing) return undefined;
      throw error;
    }
  }

  #message(frame: Body, { json, answer, why }: MessageFacts = {}): void {
    this.counters.messages++;
    this.#heard.add(frame, why);
    this.#effects.push({ type: "message", frame, json, answer });
  }
}

/** A frame with the id that the configuration wrote in place of ours. */
function rendered(decoded: FrameWithId, frame: Body, { own }: ConfiguredFrame): Body {
  return decoded.render?.(own) ?? frame;
}

function earliest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}

function awaited(entry: Entry): failures.Awaited {
  return entry.confirms ? "pong" : "reply";
}
