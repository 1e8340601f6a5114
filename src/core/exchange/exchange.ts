import type { UpstreamSettings } from "../../config/schema.ts";
import type { Sent } from "../../errors.ts";
import type { Body, Decoded, FrameWithId, Protocol } from "../../protocols/protocol.ts";
import type { Disconnect } from "../connection/disconnect.ts";
import type { Availability } from "../connection/session.ts";
import { type CancelCounts, type Counters, zero } from "../outcome.ts";
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
 * Correlation: which request a frame answers, and how each request ends. Pure: inputs are method calls with the time
 * as an argument, what must be done comes back as effects, in order. Each request ends exactly once.
 *
 * A message is taken in (`Admission`), kept with all that belongs to it (`Requests`), handed to the socket when it can
 * be (`Outgoing`). None of these knows the exchange; it knows what comes in, and whom that concerns.
 */
export class Exchange {
  readonly #protocol: Protocol;
  /** `limits.buffered_bytes` */
  readonly #bufferedMax: number;
  readonly #effects = new Effects();
  readonly #delivery = new DeliveryProofs();
  readonly #requests: InFlight;
  readonly #outgoing: SendQueue;
  readonly #admission: Admission;
  readonly #late: TimedOut;
  readonly counters: Counters = { ...zero };

  constructor(protocol: Protocol, limits: ExchangeLimits) {
    this.#protocol = protocol;
    this.#bufferedMax = limits.buffered_bytes;
    this.#requests = new InFlight(protocol, limits.reply_bytes, this.#delivery, this.#effects, this.counters);
    this.#outgoing = new SendQueue(this.#requests, limits.pace, this.#delivery, this.#effects);
    const expire = (now: number) => this.#expireDue(now);
    this.#admission = new Admission(protocol, limits, this.#requests, this.#outgoing, expire);
    this.#late = new TimedOut(this.#delivery, protocol.correlation === "order");
  }

  get inFlight(): number {
    return this.#requests.table.size;
  }

  /** Whether a reply may still come over this connection. */
  awaits(connection: number): boolean {
    return this.#requests.table.awaits(connection);
  }

  /** Requests that are on a socket and whose reply may still come. A stream may go on for ever, and is not one. */
  get onTheWire(): number {
    return this.#requests.table.onTheWire;
  }

  get nextDeadline(): number | undefined {
    const { nextDeadline, correlation } = this.#requests;
    return earliest(earliest(nextDeadline, correlation.nextDeadline), this.#outgoing.pacedUntil);
  }

  /** Takes a request in. `buffered`: bytes handed to the socket that it could not yet pass on. */
  request(owner: Owner, call: NewRequest, now: number, buffered: number): readonly ExchangeEffect[] {
    this.counters.requests++;
    return this.#admission.take(owner, call, now, buffered) ? this.#flush(now) : this.#effects.take();
  }

  /** The connection changed. What cannot be sent any more fails, what can be is sent. */
  onAvailability(link: Availability, now: number): readonly ExchangeEffect[] {
    if (this.#outgoing.onAvailability(link, now)) this.counters.connects++;
    return this.#flush(now);
  }

  /** The socket of `connection` is over: whatever went out on it and was not answered fails. */
  onLost(connection: number, why: Disconnect, now: number): readonly ExchangeEffect[] {
    for (const entry of this.#requests.table.sentOn(connection)) {
      this.#requests.fail(entry, failures.lost(this.#delivery.sent(entry), why, awaited(entry)));
    }
    for (const effect of this.#late.onLost(connection, why)) this.#effects.push(effect);
    this.#delivery.end(connection);
    // What an older connection owed is no business of the newest one.
    if (this.#delivery.isNewest(connection)) this.#requests.correlation.clear();
    this.#outgoing.disconnect(connection, now);
    return this.#flush(now);
  }

  /** A frame came in. `buffered`: as for `call`. */
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
        this.#answer(connection, decoded.frame, now, buffered);
        break;
      case "error":
        this.#blame(connection, decoded, now);
        this.#message(frame);
        break;
      default:
        this.#named(connection, decoded, frame, now);
    }
    return this.#flush(now);
  }

  /** Whether the socket took the frame of a `write`. When not, it never left. */
  onWritten(entry: SentEntry, taken: boolean, now: number): readonly ExchangeEffect[] {
    if (!taken) {
      this.#outgoing.disconnect(entry.phase.connection, now);
      this.#requests.fail(entry, failures.handedToNobody);
    } else if (entry.confirms) {
      this.#delivery.confirm(entry);
      this.#effects.push({ type: "probe" });
    } else if (!entry.expectsReply) {
      this.#requests.done(entry);
    }
    return this.#flush(now);
  }

  /** A pong showed that the peer has the first `messages` of what the connection was handed. */
  onProven(connection: number, messages: number): readonly ExchangeEffect[] {
    this.#delivery.prove(connection, messages);
    const { confirming } = this.#delivery;
    for (const entry of confirming) if (this.#delivery.sent(entry) === "yes") this.#requests.done(entry);
    // What was written after that ping needs one of its own. An older connection had its last when it was left.
    const asks = (entry: SentEntry) => this.#delivery.isNewest(entry.phase.connection);
    if (confirming.size > 0 && [...confirming].some(asks)) this.#effects.push({ type: "probe" });
    return this.#effects.take();
  }

  /** The caller has left. Its reply, when it comes, is late. */
  abandon(seq: number, now: number): readonly ExchangeEffect[] {
    this.#requests.abandon(seq, now);
    return this.#flush(now);
  }

  /** The owner waits for none of its requests any more: those that are not on a socket yet never will be. */
  withdraw(owner: Owner): void {
    this.#requests.withdraw(owner);
  }

  /** The reader of a stream has taken frames of so much weight: there is room for more. */
  taken(seq: number, weight: number): void {
    this.#requests.taken(seq, weight);
  }

  /** To be called when `nextDeadline` has come. */
  expire(now: number): readonly ExchangeEffect[] {
    this.#expireDue(now);
    return this.#flush(now);
  }

  #expireDue(now: number): void {
    for (const entry of this.#requests.due(now)) this.#timeOut(entry, now);
    if (!this.#requests.correlation.expire(now)) return;
    const detail = "a request timed out, and its reply did not come in time to be told from the next one's";
    this.#effects.push({ type: "renew", detail });
  }

  /** From here on nothing new is taken, and what is not on the socket fails. */
  drain(now: number): readonly ExchangeEffect[] {
    this.#admission.close();
    this.#outgoing.failHeld(failures.shuttingDown);
    return this.#flush(now);
  }

  /** Ends all that is pending. */
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

  /** Hands everything over that can go, and gives back what has gathered. */
  #flush(now: number): readonly ExchangeEffect[] {
    this.#outgoing.flush(now);
    return this.#effects.take();
  }

  #timeOut(entry: Entry, now: number): void {
    const waitedMs = entry.dueAt - entry.arrivedAt;
    if (!isSent(entry) && entry.dueAt < entry.deadline) {
      this.#requests.fail(entry, failures.notConnected(waitedMs));
      return;
    }
    const sent = this.#delivery.sent(entry);
    if (isSent(entry) && !entry.streams) this.#late.keep(entry);
    if (sent === "maybe") this.#effects.push({ type: "probe" });
    this.#requests.leave(entry, failures.timedOut(sent, waitedMs, awaited(entry)), now);
  }

  // Frames.

  #named(connection: number, decoded: FrameWithId, frame: Body, now: number): void {
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
      const late = this.#late.onReplyFrame(connection, decoded, now);
      if (late) this.#effects.push(late);
    } else {
      this.#message(frame);
    }
  }

  /** Fails those that an error without an id may mean. */
  #blame(connection: number, { fails }: Extract<Decoded, { type: "error" }>, now: number): void {
    const sent = this.#requests.table.sentOn(connection).sort((a, b) => a.phase.order - b.phase.order);
    for (const entry of fails === "all" ? sent : sent.slice(0, 1)) {
      this.#requests.leave(entry, failures.unnamed(this.#delivery.sent(entry), fails), now);
    }
  }

  /** The upstream must not be able to ask faster than it reads: what it does not read would gather here. */
  #answer(connection: number, frame: Body, now: number, buffered: number): void {
    if (buffered + sizeOf(frame) > this.#bufferedMax) {
      // An older connection is being left already.
      if (this.#delivery.isNewest(connection))
        this.#leave(connection, now, "the upstream asks, and does not read the answers");
      return;
    }
    this.counters.answered++;
    this.#effects.push({ type: "answer", connection, frame });
  }

  /** What still waits goes out on the next connection, and not on this one before it is left. */
  #leave(connection: number, now: number, detail: string): void {
    this.#effects.push({ type: "renew", detail });
    this.#outgoing.disconnect(connection, now);
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
