/** The exchange: which request a frame answers, and how each request ends. */
import type { UpstreamSettings } from "../../config/schema.ts";
import type { Sent } from "../../errors.ts";
import type { Body, Decoded, FrameWithId, Protocol } from "../../protocols/protocol.ts";
import type { Disconnect } from "../connection/disconnect.ts";
import type { Availability } from "../connection/session.ts";
import { type CancelCounts, type Counters, zeroCounters } from "../outcome.ts";
import { Admission, type NewRequest, sizeOf } from "./admission.ts";
import { DeliveryProofs } from "./delivery-proofs.ts";
import { Effects, type ExchangeEffect } from "./effects.ts";
import * as failures from "./failures.ts";
import { InFlight } from "./in-flight.ts";
import { type Entry, isSent, type Owner, type SentEntry } from "./request-table.ts";
import { SendQueue } from "./send-queue.ts";
import { TimedOut } from "./timed-out.ts";

export type { ExchangeEffect } from "./effects.ts";
export { HOLD_MS } from "./send-queue.ts";

type ExchangeLimits = Pick<UpstreamSettings["limits"], "in_flight" | "buffered_bytes" | "reply_bytes" | "pace">;

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
  readonly #bufferedMax: number;
  readonly #effects = new Effects();
  readonly #delivery = new DeliveryProofs();
  readonly #requests: InFlight;
  readonly #sendQueue: SendQueue;
  readonly #admission: Admission;
  readonly #timedOut: TimedOut;
  readonly counters: Counters = { ...zeroCounters };

  constructor(protocol: Protocol, limits: ExchangeLimits) {
    this.#protocol = protocol;
    this.#bufferedMax = limits.buffered_bytes;
    this.#requests = new InFlight(protocol, limits.reply_bytes, this.#delivery, this.#effects, this.counters);
    this.#sendQueue = new SendQueue(this.#requests, limits.pace, this.#delivery, this.#effects);
    const expire = (now: number) => this.#expireDue(now);
    this.#admission = new Admission(protocol, limits, this.#requests, this.#sendQueue, expire);
    this.#timedOut = new TimedOut(this.#delivery, protocol.correlation === "order");
  }

  get inFlight(): number {
    return this.#requests.table.size;
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
    return earliest(earliest(nextDeadline, correlation.nextDeadline), this.#sendQueue.pacedUntil);
  }

  /** Takes a new request. `buffered`: bytes handed to the socket that it could not yet pass on. */
  request(owner: Owner, incoming: NewRequest, now: number, buffered: number): readonly ExchangeEffect[] {
    this.counters.requests++;
    return this.#admission.take(owner, incoming, now, buffered) ? this.#flush(now) : this.#effects.take();
  }

  /** Sends what can be sent now, and fails what can no longer be sent. */
  onAvailability(availability: Availability, now: number): readonly ExchangeEffect[] {
    if (this.#sendQueue.onAvailability(availability, now)) this.counters.connects++;
    return this.#flush(now);
  }

  /** Fails every request that went out on a connection which has ended. */
  onLost(connection: number, why: Disconnect, now: number): readonly ExchangeEffect[] {
    for (const entry of this.#requests.table.sentOn(connection)) {
      this.#requests.fail(entry, failures.lost(this.#delivery.sent(entry), why, awaited(entry)));
    }
    for (const effect of this.#timedOut.onLost(connection, why)) this.#effects.push(effect);
    this.#delivery.end(connection);
    // Replies that an older connection owed do not concern the newest one.
    if (this.#delivery.isNewest(connection)) this.#requests.correlation.clear();
    this.#sendQueue.disconnect(connection, now);
    return this.#flush(now);
  }

  /** Takes a frame from the upstream. `buffered`: as for `request`. */
  onFrame(connection: number, frame: Body, now: number, buffered: number): readonly ExchangeEffect[] {
    const decoded = this.#protocol.decode(frame);
    switch (decoded.type) {
      case "message":
        this.#message(frame, decoded.json);
        break;
      case "noise":
        this.counters.noise++;
        this.#message(frame);
        break;
      case "answer":
        // Keep it first: the upstream may forget what was answered.
        if (decoded.keep) this.#message(frame, decoded.keep === "json" ? true : undefined);
        this.#replyToUpstream(connection, decoded.frame, now, buffered);
        break;
      case "error":
        this.#failUnnamed(connection, decoded, now);
        this.#message(frame);
        break;
      default:
        this.#onFrameWithId(connection, decoded, frame, now);
    }
    return this.#flush(now);
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
  onProven(connection: number, frames: number): readonly ExchangeEffect[] {
    this.#delivery.prove(connection, frames);
    const { confirming } = this.#delivery;
    for (const entry of confirming) if (this.#delivery.sent(entry) === "yes") this.#requests.complete(entry);
    // Entries that were written after that ping need another. A superseded connection got its last one at that moment.
    const needsPing = (entry: SentEntry) => this.#delivery.isNewest(entry.phase.connection);
    if (confirming.size > 0 && [...confirming].some(needsPing)) this.#effects.push({ type: "probe" });
    return this.#effects.take();
  }

  /** Ends a request whose caller has left. Its reply, if one comes, is late. */
  abandon(seq: number, now: number): readonly ExchangeEffect[] {
    this.#requests.abandon(seq, now);
    return this.#flush(now);
  }

  /** Drops the owner's requests that are not on a socket yet: the owner no longer waits for any. */
  withdraw(owner: Owner): void {
    this.#requests.withdraw(owner);
  }

  /** Makes room: the reader of a stream has taken frames of this weight. */
  taken(seq: number, weight: number): void {
    this.#requests.taken(seq, weight);
  }

  /** Call when `nextDeadline` has come. */
  expire(now: number): readonly ExchangeEffect[] {
    this.#expireDue(now);
    return this.#flush(now);
  }

  #expireDue(now: number): void {
    for (const entry of this.#requests.due(now)) this.#timeOut(entry, now);
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
    const counts: Record<Sent, number> = { no: 0, maybe: 0, yes: 0 };
    for (const entry of this.#requests.table.all()) {
      const sent = this.#delivery.sent(entry);
      counts[sent]++;
      this.#requests.fail(entry, failures.cancelled(sent, awaited(entry)));
    }
    this.#requests.correlation.clear();
    return { effects: this.#effects.take(), counts };
  }

  /** Hands over every message that can be sent, and returns all effects that were collected. */
  #flush(now: number): readonly ExchangeEffect[] {
    this.#sendQueue.flush(now);
    return this.#effects.take();
  }

  #timeOut(entry: Entry, now: number): void {
    const waitedMs = entry.dueAt - entry.arrivedAt;
    if (!isSent(entry) && entry.dueAt < entry.deadline) {
      this.#requests.fail(entry, failures.notConnected(waitedMs));
      return;
    }
    const sent = this.#delivery.sent(entry);
    if (isSent(entry) && !entry.streams) this.#timedOut.keep(entry);
    if (sent === "maybe") this.#effects.push({ type: "probe" });
    this.#requests.failEarly(entry, failures.timedOut(sent, waitedMs, awaited(entry)), now);
  }

  // Frames.

  #onFrameWithId(connection: number, decoded: FrameWithId, frame: Body, now: number): void {
    const entry = this.#requests.correlation.find(connection, decoded.id);
    if (decoded.type === "progress") {
      if (entry) entry.phase.acknowledged = true;
      this.#message(frame);
    } else if (entry) {
      this.#requests.onReplyFrame(entry, decoded, now);
    } else {
      this.#stray(connection, decoded, frame, now);
    }
  }

  #stray(connection: number, decoded: FrameWithId, frame: Body, now: number): void {
    const newest = this.#delivery.isNewest(connection);
    const stray = this.#requests.correlation.stray(decoded.id, newest, decoded.type !== "part");
    if (stray !== "message") this.counters[stray]++;
    if (stray === "late") {
      const late = this.#timedOut.onReplyFrame(connection, decoded, now);
      if (late) this.#effects.push(late);
    } else {
      this.#message(frame);
    }
  }

  /** Fails the requests that an error without an id may refer to. */
  #failUnnamed(connection: number, { fails }: Extract<Decoded, { type: "error" }>, now: number): void {
    const sent = this.#requests.table.sentOn(connection).sort((a, b) => a.phase.order - b.phase.order);
    for (const entry of fails === "all" ? sent : sent.slice(0, 1)) {
      this.#requests.failEarly(entry, failures.unnamed(this.#delivery.sent(entry), fails), now);
    }
  }

  /** Replies to an upstream that requests faster than it reads would pile up: `limits.buffered_bytes` bounds them. */
  #replyToUpstream(connection: number, frame: Body, now: number, buffered: number): void {
    if (buffered + sizeOf(frame) > this.#bufferedMax) {
      // An older connection is being closed already.
      if (this.#delivery.isNewest(connection))
        this.#renew(connection, now, "the upstream sends requests and does not read the replies");
      return;
    }
    this.counters.answered++;
    this.#effects.push({ type: "send", connection, frame });
  }

  /** Held messages go out on the next connection, and not on this one before it is closed. */
  #renew(connection: number, now: number, detail: string): void {
    this.#effects.push({ type: "renew", detail });
    this.#sendQueue.disconnect(connection, now);
  }

  #message(frame: Body, json?: true): void {
    this.counters.messages++;
    this.#effects.push({ type: "message", frame, json });
  }
}

function earliest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}

function awaited(entry: Entry): failures.Awaited {
  return entry.confirms ? "pong" : "reply";
}
