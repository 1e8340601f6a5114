import type { UpstreamSettings } from "../config/schema.ts";
import type { Failure, Sent } from "../errors.ts";
import type { Body, Decoded, Encoded, Protocol, WireId } from "../protocols/protocol.ts";
import { Batches } from "./batches.ts";
import { ById } from "./by-id.ts";
import { ByOrder } from "./by-order.ts";
import type { Correlation } from "./correlation.ts";
import { Deadlines } from "./deadline.ts";
import type { Drop } from "./drop.ts";
import * as failures from "./failures.ts";
import { Gathered } from "./gathered.ts";
import { Late, type LateEntry } from "./late-replies.ts";
import { type CancelCounts, type Counters, type Failed, type Kind, type Outcome, zero } from "./outcome.ts";
import { Pace } from "./pace.ts";
import { type Entry, Pending } from "./pending.ts";
import type { Availability } from "./session.ts";

/**
 * Correlation: which request a frame answers, and how each request ends. Pure: inputs are method calls with the time
 * as an argument, what must be done comes back as effects, in order. Each request ends exactly once.
 */

export type ExchangeEffect =
  /** Hand this frame to the socket, and say with `written` whether it was taken. */
  | { readonly type: "write"; readonly epoch: number; readonly entry: Entry; readonly frame: Body }
  | { readonly type: "settle"; readonly seq: number; readonly outcome: Outcome }
  /** A frame of a stream's reply, and not the last. */
  | { readonly type: "part"; readonly seq: number; readonly body: Body }
  /** A request that had timed out has ended after all. */
  | { readonly type: "late"; readonly seq: number; readonly outcome: Outcome }
  /** Answers a request of the upstream's own, or ends a stream that nobody reads any more. */
  | { readonly type: "answer"; readonly epoch: number; readonly frame: Body }
  /** The upstream said this unasked. */
  | { readonly type: "message"; readonly frame: Body }
  /** Ask the peer for a sign of life, so that `maybe` can become `yes`. */
  | { readonly type: "probe" }
  /** Replies can no longer be told apart on this connection: begin a new one. */
  | { readonly type: "renew"; readonly detail: string };

export interface Call {
  readonly seq: number;
  readonly kind: Kind;
  readonly body: Body;
  /** When the caller gives up, by the clock of `now`. */
  readonly deadline: number;
}

/** What a frame that names a request says of it. */
type Named = Extract<Decoded, { readonly id: WireId }>;

/** A request that finds no connection waits this long for one, in milliseconds, and never past its deadline. */
export const HOLD_MS = 5_000;

/** A reply is gathered of at most so many frames, where the protocol does not say. */
const MAX_FRAMES = 1_000;

type Limits = Pick<UpstreamSettings["limits"], "in_flight" | "buffered_bytes" | "reply_bytes" | "pace">;

export class Exchange {
  readonly #protocol: Protocol;
  readonly #limits: Limits;
  readonly #pending = new Pending();
  readonly #batches = new Batches();
  readonly #wheel = new Deadlines<Entry | ByOrder>();
  readonly #correlation: Correlation;
  readonly #gathered: Gathered;
  readonly #pace: Pace | undefined;
  /** When the pace lets the next message go; undefined when none waits for that. */
  #pacedUntil: number | undefined;
  /** Messages on the wire for which somebody waits until a pong proves them. */
  readonly #confirming = new Set<Entry>();
  /** Streams that are on a socket. */
  readonly #streaming = new Set<Entry>();
  readonly #late = new Late();
  #link: Availability = { type: "hold" };
  #draining = false;
  /** The newest connection that was ready, and how many messages it was handed and is proven to have delivered. */
  #epoch = 0;
  #handedOver = 0;
  #proven = 0;
  #effects: ExchangeEffect[] = [];
  readonly counters: Counters = { ...zero };

  constructor(protocol: Protocol, limits: Limits) {
    this.#protocol = protocol;
    this.#correlation = protocol.correlation === "order" ? new ByOrder(this.#wheel) : new ById(this.#pending, protocol);
    this.#limits = { ...limits, in_flight: Math.min(limits.in_flight, this.#correlation.capacity) };
    this.#gathered = new Gathered(protocol.maxFrames ?? MAX_FRAMES, limits.reply_bytes);
    this.#pace = limits.pace ? new Pace(limits.pace) : undefined;
  }

  get inFlight(): number {
    return this.#pending.size;
  }

  /** Whether a reply may still come over this connection. */
  awaits(epoch: number): boolean {
    return this.#pending.some((entry) => entry.epoch === epoch);
  }

  /** Requests that are on a socket and whose reply may still come. A stream may go on for ever, and is not one. */
  get onTheWire(): number {
    return this.#pending.size - this.#pending.held.size - this.#streaming.size;
  }

  get nextDeadline(): number | undefined {
    const next = Math.min(this.#wheel.next() ?? Number.POSITIVE_INFINITY, this.#pacedUntil ?? Number.POSITIVE_INFINITY);
    return Number.isFinite(next) ? next : undefined;
  }

  /** A message of a caller. `buffered`: bytes handed to the socket that it could not yet pass on. */
  call(call: Call, now: number, buffered: number): readonly ExchangeEffect[] {
    this.counters.requests++;
    let items: readonly string[] | undefined;
    try {
      if (call.kind !== "stream") items = this.#protocol.split?.(call.body);
    } catch (error) {
      this.#refuse(call.seq, 0, failures.invalid(error));
      return this.#take();
    }
    const problem = this.#problem(call, items?.length ?? 1, now, buffered);
    if (items === undefined) {
      this.#admit(call, 0, call.body, problem, now);
    } else {
      this.#batches.open(call.seq, items.length);
      items.forEach((item, index) => {
        this.#admit(call, index, item, problem, now);
      });
    }
    return this.#flush(now);
  }

  /** The connection changed. What cannot be sent any more fails, what can be is sent. */
  link(link: Availability, now: number): readonly ExchangeEffect[] {
    this.#link = link;
    if (link.type === "ready" && link.epoch !== this.#epoch) {
      this.#epoch = link.epoch;
      this.#correlation.clear();
      this.#handedOver = 0;
      this.#proven = 0;
      this.counters.connects++;
      for (const entry of this.#pending.held) this.#file(entry, entry.deadline);
    } else if (link.type === "hold") {
      this.#holdBack(now);
    } else if (link.type === "down") {
      for (const entry of this.#pending.held) this.#fail(entry, failures.unavailable(link, now));
    }
    return this.#flush(now);
  }

  /** The socket of `epoch` is over: whatever went out on it and was not answered fails. */
  lost(epoch: number, why: Drop, now: number): readonly ExchangeEffect[] {
    for (const entry of this.#pending.where((entry) => entry.epoch === epoch)) {
      this.#fail(entry, failures.lost(this.#sent(entry), why, awaited(entry)));
    }
    for (const entry of this.#late.takeAll(epoch)) {
      this.#endLate(entry, { type: "failed", failure: failures.lost(this.#sent(entry), why, "reply") });
    }
    // What an older connection owed is no business of the newest one.
    if (epoch === this.#epoch) this.#correlation.clear();
    this.#unlink(epoch, now);
    return this.#flush(now);
  }

  /** A frame came in. `buffered`: as for `call`. */
  frame(epoch: number, frame: Body, now: number, buffered: number): readonly ExchangeEffect[] {
    const decoded = this.#protocol.decode(frame);
    switch (decoded.type) {
      case "message":
      case "noise":
        this.#message(decoded.type, frame);
        break;
      case "answer":
        this.#answer(epoch, decoded.frame, buffered);
        break;
      case "error":
        this.#blame(epoch, decoded, now);
        this.#message("message", frame);
        break;
      default: {
        const entry = this.#correlation.find(epoch, decoded.id);
        if (entry) this.#answered(entry, decoded, frame, now);
        else this.#unexpected(epoch, decoded, frame, now);
      }
    }
    return this.#flush(now);
  }

  /** Whether the socket took the frame of a `write`. When not, it never left. */
  written(entry: Entry, taken: boolean, now: number): readonly ExchangeEffect[] {
    if (!taken) {
      this.#unlink(entry.epoch, now);
      this.#fail(entry, failures.handedToNobody);
    } else if (entry.confirms) {
      this.#confirming.add(entry);
      this.#effects.push({ type: "probe" });
    } else if (!entry.expectsReply) {
      this.#forget(entry);
      this.#settle(entry.seq, entry.index, { type: "done" });
    }
    return this.#flush(now);
  }

  /** A pong showed that the peer has the first `messages` of what the connection was handed. */
  proven(epoch: number, messages: number): readonly ExchangeEffect[] {
    if (epoch === this.#epoch) this.#proven = messages;
    for (const entry of this.#confirming) {
      if (this.#sent(entry) !== "yes") continue;
      this.#forget(entry);
      this.#settle(entry.seq, entry.index, { type: "done" });
    }
    // What was written after that ping needs one of its own.
    if (this.#confirming.size > 0) this.#effects.push({ type: "probe" });
    return this.#take();
  }

  /** The caller has left. Its reply, when it comes, is late. */
  abandon(seq: number, now: number): readonly ExchangeEffect[] {
    for (const entry of this.#pending.of(seq)) {
      this.counters.abandoned++;
      this.#end(entry, now);
    }
    this.#batches.forget(seq);
    return this.#flush(now);
  }

  /** The reader of a stream has taken frames of so much weight: there is room for more. */
  taken(seq: number, weight: number): void {
    for (const entry of this.#pending.of(seq)) this.#gathered.taken(entry, weight);
  }

  /** To be called when `nextDeadline` has come. */
  expire(now: number): readonly ExchangeEffect[] {
    for (const due of this.#wheel.due(now)) {
      if (due instanceof ByOrder) {
        if (due.expire()) {
          const detail = "a request timed out, and its reply did not come in time to be told from the next one's";
          this.#effects.push({ type: "renew", detail });
        }
      } else {
        this.#timeOut(due, now);
      }
    }
    return this.#flush(now);
  }

  /** From here on nothing new is taken, and what is not on the socket fails. */
  drain(now: number): readonly ExchangeEffect[] {
    this.#draining = true;
    for (const entry of this.#pending.held) this.#fail(entry, failures.shuttingDown);
    return this.#flush(now);
  }

  /** Ends all that is pending. */
  cancel(): { readonly effects: readonly ExchangeEffect[]; readonly counts: CancelCounts } {
    const counts: Record<Sent, number> = { no: 0, maybe: 0, yes: 0 };
    for (const entry of this.#pending.where(() => true)) {
      const sent = this.#sent(entry);
      counts[sent]++;
      this.#fail(entry, failures.cancelled(sent, awaited(entry)));
    }
    this.#correlation.clear();
    return { effects: this.#take(), counts };
  }

  // Coming in.

  /** Why a call is not taken in; undefined when it is. */
  #problem(call: Call, items: number, now: number, buffered: number): Failure | undefined {
    const { in_flight, buffered_bytes } = this.#limits;
    if (this.#draining) return failures.shuttingDown;
    if (call.deadline <= now) return failures.timedOut("no", 0, "reply");
    if (items > in_flight) return failures.batchTooLarge(items, in_flight);
    if (this.#pending.size + items > in_flight) return failures.tooMany(this.#pending.size, in_flight);
    if (this.#link.type === "down") return failures.unavailable(this.#link, now);
    const paced = this.#pacedFor(items, now);
    if (paced > 0) return failures.paced(paced, this.#limits.pace);
    const waiting = this.#pending.heldBytes + buffered + sizeOf(call.body);
    return waiting > buffered_bytes ? failures.congested(buffered_bytes) : undefined;
  }

  /** How long, in milliseconds, until so many more messages have their place in the queue of the pace. */
  #pacedFor(items: number, now: number): number {
    const { pace } = this.#limits;
    const over = this.#pending.held.size + items - (pace?.queue ?? Number.POSITIVE_INFINITY);
    return this.#pace && over > 0 ? this.#pace.at(over - 1, now) - now : 0;
  }

  #admit(call: Call, index: number, body: Body, problem: Failure | undefined, now: number): void {
    const { ids = "ours" } = this.#protocol;
    const mode = isSend(call.kind) ? "rpc" : call.kind === "stream" ? "request" : call.kind;
    // What is refused needs no id, and when all are taken there is none.
    const drawn = problem || ids !== "ours" ? 0 : this.#correlation.draw();
    let encoded: Encoded;
    try {
      encoded = this.#protocol.encode(body, drawn, mode);
    } catch (error) {
      this.#refuse(call.seq, index, failures.invalid(error));
      return;
    }
    const expectsReply = encoded.expectsReply && !isSend(call.kind);
    // What expects no reply may name another request, to say something about it.
    const own = expectsReply ? encoded.id : undefined;
    const taken = own !== undefined && this.#correlation.isTaken(own);
    const failure = problem ?? (taken ? failures.idTaken : undefined);
    if (failure) {
      this.#refuse(call.seq, index, { type: "failed", failure, own: ownId(encoded.own) });
      return;
    }
    const dueAt = this.#link.type === "ready" ? call.deadline : Math.min(call.deadline, now + HOLD_MS);
    const entry: Entry = {
      seq: call.seq,
      index,
      wire: own ?? drawn,
      expectsReply,
      confirms: call.kind === "confirm",
      streams: call.kind === "stream",
      own: encoded.own,
      frame: encoded.frame,
      number: ids === "increasing" ? (wire) => this.#protocol.encode(body, wire, mode).frame : undefined,
      bytes: sizeOf(encoded.frame),
      epoch: 0,
      order: 0,
      deadline: call.deadline,
      dueAt,
      arrivedAt: now,
      writtenAt: 0,
      acknowledged: false,
    };
    this.#pending.add(entry);
    this.#wheel.add(entry, dueAt);
  }

  // Going out.

  /** Hands everything over that can go, and gives back what has gathered. */
  #flush(now: number): readonly ExchangeEffect[] {
    this.#pacedUntil = undefined;
    if (this.#link.type === "ready") {
      for (const entry of this.#pending.held) {
        if (!this.#correlation.takes(entry.expectsReply)) break;
        if (this.#pace && !this.#paced(this.#pace, now)) break;
        this.#write(entry, this.#link.epoch, now);
      }
    }
    return this.#take();
  }

  #paced(pace: Pace, now: number): boolean {
    const at = pace.at(0, now);
    if (at > now) this.#pacedUntil = at;
    else pace.take(now);
    return at <= now;
  }

  #write(entry: Entry, epoch: number, now: number): void {
    const frame = entry.number ? this.#number(entry, entry.number) : this.#pending.release(entry);
    if (frame === undefined) return;
    entry.epoch = epoch;
    entry.order = ++this.#handedOver;
    entry.writtenAt = now;
    if (entry.streams) this.#streaming.add(entry);
    this.#effects.push({ type: "write", epoch, entry, frame });
    this.#correlation.handedOver(entry, now);
  }

  /** Draws the id of a message that goes out now. What its protocol takes no more is refused: undefined. */
  #number(entry: Entry, number: (wire: number) => Body): Body | undefined {
    this.#pending.release(entry);
    entry.number = undefined;
    this.#pending.number(entry, this.#correlation.draw());
    try {
      return number(entry.wire as number);
    } catch (error) {
      this.#forget(entry);
      this.#refuse(entry.seq, entry.index, failures.invalid(error));
      return undefined;
    }
  }

  /** Nothing more is written to this connection: it is gone, or closing, whatever the session knows by now. */
  #unlink(epoch: number, now: number): void {
    if (this.#link.type !== "ready" || this.#link.epoch !== epoch) return;
    this.#link = { type: "hold" };
    this.#holdBack(now);
  }

  #holdBack(now: number): void {
    for (const entry of this.#pending.held) this.#file(entry, Math.min(entry.dueAt, now + HOLD_MS));
  }

  #take(): readonly ExchangeEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  // Endings.

  /** A frame came for a request that is waiting. */
  #answered(entry: Entry, decoded: Named, frame: Body, now: number): void {
    switch (decoded.type) {
      case "reply": {
        const body = decoded.render(entry.own);
        const gather = entry.streams ? undefined : decoded.gather;
        this.#reply(entry, gather?.([...this.#gathered.of(entry), body]) ?? body, now);
        break;
      }
      case "invalid":
        this.#fail(entry, failures.unusable(decoded.why));
        break;
      case "part": {
        entry.acknowledged = true;
        const body = decoded.render(entry.own);
        if (entry.streams) this.#part(entry, body, now);
        else {
          const over = this.#gathered.add(entry, body);
          if (over !== undefined) this.#leave(entry, failures.tooMuch(over), now);
        }
        break;
      }
      case "progress":
        entry.acknowledged = true;
        this.#message("message", frame);
    }
  }

  /** A stream that has begun goes on for as long as it is read. */
  #part(entry: Entry, body: Body, now: number): void {
    this.#wheel.remove(entry, entry.dueAt);
    const over = this.#gathered.handOn(entry, body);
    if (over === undefined) this.#effects.push({ type: "part", seq: entry.seq, body });
    else this.#leave(entry, failures.unread(over), now);
  }

  #reply(entry: Entry, body: Body, now: number): void {
    const { arrivedAt, writtenAt } = entry;
    this.counters.replies++;
    this.#correlation.ended(entry);
    this.#forget(entry);
    const times = { queueMs: writtenAt - arrivedAt, upstreamMs: now - writtenAt };
    this.#settle(entry.seq, entry.index, { type: "reply", body, ...times });
  }

  /** Fails those that an error without an id may mean. */
  #blame(epoch: number, { fails }: Extract<Decoded, { type: "error" }>, now: number): void {
    const sent = this.#pending.where((entry) => entry.epoch === epoch).sort((a, b) => a.order - b.order);
    for (const entry of fails === "all" ? sent : sent.slice(0, 1)) {
      this.#leave(entry, failures.unnamed(this.#sent(entry), fails), now);
    }
  }

  #timeOut(entry: Entry, now: number): void {
    const waitedMs = entry.dueAt - entry.arrivedAt;
    if (entry.epoch === 0 && entry.dueAt < entry.deadline) {
      this.#fail(entry, failures.notConnected(waitedMs));
      return;
    }
    const sent = this.#sent(entry);
    if (sent !== "no" && !entry.streams) this.#late.keep(entry);
    if (sent === "maybe") this.#effects.push({ type: "probe" });
    this.#leave(entry, failures.timedOut(sent, waitedMs, awaited(entry)), now);
  }

  /** Fails a request whose reply may still come. */
  #leave(entry: Entry, failure: Failure, now: number): void {
    this.#end(entry, now);
    this.#failed(entry, failure);
  }

  #fail(entry: Entry, failure: Failure): void {
    this.#correlation.ended(entry);
    this.#forget(entry);
    this.#failed(entry, failure);
  }

  #failed(entry: Entry, failure: Failure): void {
    this.#refuse(entry.seq, entry.index, { type: "failed", failure, own: ownId(entry.own) });
  }

  /** The request is over for its caller while its reply may still come: that one must not answer anything else. */
  #end(entry: Entry, now: number): void {
    this.#forget(entry);
    if (entry.epoch === 0 || !entry.expectsReply) return;
    this.#correlation.orphaned(entry, now, entry.epoch === this.#epoch);
    const frame = entry.streams ? this.#protocol.cancel?.(entry.wire) : undefined;
    if (frame !== undefined) this.#effects.push({ type: "answer", epoch: entry.epoch, frame });
  }

  #forget(entry: Entry): void {
    this.#pending.remove(entry);
    this.#confirming.delete(entry);
    this.#streaming.delete(entry);
    this.#wheel.remove(entry, entry.dueAt);
    this.#gathered.forget(entry);
  }

  #file(entry: Entry, at: number): void {
    this.#wheel.remove(entry, entry.dueAt);
    entry.dueAt = at;
    this.#wheel.add(entry, at);
  }

  #settle(seq: number, index: number, outcome: Outcome): void {
    const whole = this.#batches.settle(seq, index, outcome);
    if (whole) this.#effects.push({ type: "settle", seq, outcome: whole });
  }

  #refuse(seq: number, index: number, outcome: Failed): void {
    this.counters.failures++;
    this.#settle(seq, index, outcome);
  }

  // Frames that answer nothing.

  /** The upstream must not be able to ask faster than it reads: what it does not read would gather here. */
  #answer(epoch: number, frame: Body, buffered: number): void {
    if (buffered + sizeOf(frame) > this.#limits.buffered_bytes) {
      const detail = "the upstream asks, and does not read the answers";
      this.#effects.push({ type: "renew", detail });
      return;
    }
    this.counters.answered++;
    this.#effects.push({ type: "answer", epoch, frame });
  }

  #message(type: "message" | "noise", frame: Body): void {
    if (type === "noise") this.counters.noise++;
    this.counters.messages++;
    this.#effects.push({ type: "message", frame });
  }

  #unexpected(epoch: number, decoded: Named, frame: Body, now: number): void {
    const { type, id } = decoded;
    if (type === "progress") {
      this.#message("message", frame);
      return;
    }
    const stray = this.#correlation.stray(id, epoch === this.#epoch, type !== "part");
    if (stray !== "message") this.counters[stray]++;
    if (stray === "late") this.#cameLate(this.#lateEntry(epoch, id), decoded, now);
    else this.#message("message", frame);
  }

  /** Where replies do not name their request, only one is owed at a time. */
  #lateEntry(epoch: number, wire: WireId): LateEntry | undefined {
    const inOrder = this.#protocol.correlation === "order";
    return inOrder ? this.#late.takeAll(epoch)[0] : this.#late.take(epoch, wire);
  }

  /** A late reply, of one that timed out; nobody wants that of one whose caller has left. */
  #cameLate(entry: LateEntry | undefined, decoded: Named, now: number): void {
    if (!entry) return;
    if (decoded.type !== "reply" || decoded.gather) {
      const failure = decoded.type === "invalid" ? failures.unusable(decoded.why) : failures.lateParts;
      this.#endLate(entry, { type: "failed", failure });
      return;
    }
    const times = { queueMs: entry.writtenAt - entry.arrivedAt, upstreamMs: now - entry.writtenAt };
    this.#endLate(entry, { type: "reply", body: decoded.render(entry.own), ...times });
  }

  #endLate({ seq }: LateEntry, outcome: Outcome): void {
    this.#effects.push({ type: "late", seq, outcome });
  }

  // What is known.

  #sent(entry: LateEntry): Sent {
    if (entry.epoch === 0) return "no";
    if (entry.acknowledged) return "yes";
    return entry.epoch === this.#epoch && entry.order <= this.#proven ? "yes" : "maybe";
  }
}

function isSend(kind: Kind): kind is "send" | "confirm" {
  return kind === "send" || kind === "confirm";
}

function awaited(entry: Entry): failures.Awaited {
  return entry.confirms ? "pong" : "reply";
}

/** The id of the caller as it was written, when the protocol kept one. */
function ownId(own: unknown): string | undefined {
  return typeof own === "string" ? own : undefined;
}

/** Of a text the number of UTF-16 units: near enough to a bound, and known without encoding it. */
function sizeOf(body: Body): number {
  return body.length;
}
