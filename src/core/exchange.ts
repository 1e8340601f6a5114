import type { UpstreamSettings } from "../config/schema.ts";
import type { Failure, Sent } from "../errors.ts";
import { type Body, type Encoded, InvalidMessage, type Protocol, type WireId } from "../protocols/protocol.ts";
import { Deadlines } from "./deadline.ts";
import { type Drop, describeDrop } from "./drop.ts";
import { Lane } from "./lane.ts";
import {
  type CancelCounts,
  type Counters,
  type Failed,
  type Kind,
  type Outcome,
  type Replied,
  zero,
} from "./outcome.ts";
import { type Entry, Pending } from "./pending.ts";
import type { Availability } from "./session.ts";

/**
 * Correlation: which request a frame answers, and how each request ends. Pure: inputs are method calls with the time
 * as an argument, what must be done comes back as effects, in order. Each request ends exactly once.
 */

export type ExchangeEffect =
  /** Hand this frame to the socket, and say with `written` whether it was taken. */
  | {
      readonly type: "write";
      readonly epoch: number;
      readonly entry: Entry;
      readonly frame: Body;
    }
  | { readonly type: "settle"; readonly seq: number; readonly outcome: Outcome }
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

/** A request that finds no connection waits this long for one, in milliseconds, and never past its deadline. */
export const HOLD_MS = 5_000;

/**
 * Ids of requests that timed out are remembered, so that a late reply is known as one. More are forgotten, oldest first.
 * Where ids are few they have half of them, and the requests in flight the other half: so one is always free.
 */
const TOMBSTONES_MAX = 10_000;

type Limits = Pick<UpstreamSettings["limits"], "in_flight" | "buffered_bytes">;

interface Batch {
  readonly items: (Replied | Failed | undefined)[];
  left: number;
}

export class Exchange {
  readonly #protocol: Protocol;
  readonly #limits: Limits;
  readonly #tombstonesMax: number;
  readonly #pending = new Pending();
  readonly #wheel = new Deadlines<Entry | Lane>();
  /** Not yet on a socket, in the order of arrival. */
  readonly #held = new Set<Entry>();
  readonly #batches = new Map<number, Batch>();
  readonly #tombstones = new Set<WireId>();
  readonly #lane: Lane | undefined;
  #heldBytes = 0;
  #link: Availability = { type: "hold" };
  #draining = false;
  #lastWire: WireId = 0;
  /** The newest connection that was ready, and how many messages it was handed and is proven to have delivered. */
  #epoch = 0;
  #handedOver = 0;
  #proven = 0;
  #effects: ExchangeEffect[] = [];
  readonly counters: Counters = { ...zero };

  constructor(protocol: Protocol, limits: Limits) {
    this.#protocol = protocol;
    const half = Math.floor(protocol.maxId / 2);
    this.#tombstonesMax = Math.min(TOMBSTONES_MAX, half);
    this.#limits = { ...limits, in_flight: Math.min(limits.in_flight, protocol.maxId - half) };
    this.#lane = protocol.correlation === "order" ? new Lane() : undefined;
  }

  get inFlight(): number {
    return this.#pending.size;
  }

  /** Requests that are on a socket and whose reply may still come. */
  get onTheWire(): number {
    return this.#pending.size - this.#held.size;
  }

  /** How many messages the newest connection was handed: what the pong of a ping sent now would prove. */
  get handedOver(): number {
    return this.#handedOver;
  }

  get nextDeadline(): number | undefined {
    return this.#wheel.next();
  }

  /** A message of a caller. `buffered`: bytes handed to the socket that it could not yet pass on. */
  call(call: Call, now: number, buffered: number): readonly ExchangeEffect[] {
    this.counters.requests++;
    let items: readonly string[] | undefined;
    try {
      items = this.#protocol.split?.(call.body);
    } catch (error) {
      this.#refuse(call.seq, 0, invalid(error));
      return this.#take();
    }
    const problem = this.#problem(call.body, items?.length ?? 1, now, buffered);
    if (items === undefined) {
      this.#admit(call, 0, call.body, problem, now);
    } else {
      this.#batches.set(call.seq, {
        items: new Array(items.length).fill(undefined),
        left: items.length,
      });
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
      this.#handedOver = 0;
      this.#proven = 0;
      this.counters.connects++;
      for (const entry of this.#held) this.#file(entry, entry.deadline);
    }
    if (link.type === "hold") {
      for (const entry of this.#held) this.#file(entry, Math.min(entry.dueAt, now + HOLD_MS));
    }
    if (link.type === "down") {
      const failure = this.#unavailable(link, now);
      for (const entry of [...this.#held]) this.#fail(entry, failure);
    }
    return this.#flush(now);
  }

  /** The socket of `epoch` is over: whatever went out on it and was not answered fails. */
  lost(epoch: number, why: Drop, now: number): readonly ExchangeEffect[] {
    const detail = `${describeDrop(why)} before the reply came`;
    for (const entry of this.#pending.where((entry) => entry.epoch === epoch)) {
      this.#fail(entry, {
        code: "connection_lost",
        sent: this.#sent(entry),
        detail,
      });
    }
    this.#clearLane();
    // What waits its turn in a lane must not follow on this socket, which after a renewal is open still.
    if (this.#link.type === "ready" && this.#link.epoch === epoch) this.#link = { type: "hold" };
    return this.#flush(now);
  }

  frame(epoch: number, frame: Body, now: number): readonly ExchangeEffect[] {
    const decoded = this.#protocol.decode(frame);
    switch (decoded.type) {
      case "message":
      case "noise":
        this.#message(decoded.type, frame);
        break;
      case "invalid": {
        const entry = this.#answered(epoch, decoded.id);
        const failure = {
          code: "invalid_reply",
          sent: "yes",
          detail: decoded.why,
        } as const;
        if (entry) this.#fail(entry, failure);
        else this.#unexpected(epoch, decoded.id, frame);
        break;
      }
      case "reply": {
        const entry = this.#answered(epoch, decoded.id);
        if (entry) this.#reply(entry, decoded.render, now);
        else this.#unexpected(epoch, decoded.id, frame);
      }
    }
    return this.#flush(now);
  }

  /** Whether the socket took the frame of a `write`. When not, it never left. */
  written(entry: Entry, taken: boolean, now: number): readonly ExchangeEffect[] {
    if (!taken) {
      const detail = "the connection ended before the message was handed to it";
      this.#fail(entry, { code: "connection_lost", sent: "no", detail });
    } else if (!entry.expectsReply) {
      this.#forget(entry);
      this.#settle(entry.seq, entry.index, { type: "done" });
    }
    return this.#flush(now);
  }

  /** A pong showed that the peer has the first `messages` of what the connection was handed. */
  proven(epoch: number, messages: number): void {
    if (epoch === this.#epoch) this.#proven = messages;
  }

  /** The caller has left. Its reply, when it comes, is late. */
  abandon(seq: number, now: number): readonly ExchangeEffect[] {
    for (const entry of this.#pending.of(seq)) {
      this.counters.abandoned++;
      this.#end(entry, now);
    }
    this.#batches.delete(seq);
    return this.#flush(now);
  }

  /** To be called when `nextDeadline` has come. */
  expire(now: number): readonly ExchangeEffect[] {
    for (const due of this.#wheel.due(now)) {
      if (due instanceof Lane) {
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
    for (const entry of [...this.#held]) this.#fail(entry, shuttingDown);
    return this.#flush(now);
  }

  /** Ends all that is pending. */
  cancel(): {
    readonly effects: readonly ExchangeEffect[];
    readonly counts: CancelCounts;
  } {
    const counts: Record<Sent, number> = { no: 0, maybe: 0, yes: 0 };
    for (const entry of this.#pending.where(() => true)) {
      const sent = this.#sent(entry);
      counts[sent]++;
      const detail = "the service stopped before the reply came";
      this.#fail(entry, sent === "no" ? shuttingDown : { code: "cancelled", sent, detail });
    }
    this.#clearLane();
    return { effects: this.#take(), counts };
  }

  // Coming in.

  #problem(body: Body, items: number, now: number, buffered: number): Failure | undefined {
    if (this.#draining) return shuttingDown;
    const { in_flight, buffered_bytes } = this.#limits;
    if (items > in_flight) {
      const detail = `a batch of ${items} is more than may be in flight at once (limits.in_flight: ${in_flight})`;
      return { code: "invalid_request", sent: "no", detail };
    }
    if (this.#pending.size + items > in_flight) {
      const detail = `${this.#pending.size} requests are in flight already (limits.in_flight: ${in_flight})`;
      return {
        code: "too_many_in_flight",
        sent: "no",
        detail,
        retryAfterMs: 1_000,
      };
    }
    if (this.#link.type === "down") return this.#unavailable(this.#link, now);
    if (this.#heldBytes + buffered + sizeOf(body) > buffered_bytes) {
      const detail = `too many bytes wait for the upstream (limits.buffered_bytes: ${buffered_bytes})`;
      return { code: "congested", sent: "no", detail, retryAfterMs: 1_000 };
    }
    return undefined;
  }

  #admit(call: Call, index: number, body: Body, problem: Failure | undefined, now: number): void {
    // What is refused needs no id, and when all are taken there is none.
    const wire = problem ? 0 : this.#drawWire();
    let encoded: Encoded;
    try {
      encoded = this.#protocol.encode(body, wire, call.kind === "send" ? "rpc" : call.kind);
    } catch (error) {
      this.#refuse(call.seq, index, invalid(error));
      return;
    }
    if (problem) {
      this.#refuse(call.seq, index, {
        type: "failed",
        failure: problem,
        own: ownId(encoded.own),
      });
      return;
    }
    const waits = this.#link.type !== "ready";
    const dueAt = waits ? Math.min(call.deadline, now + HOLD_MS) : call.deadline;
    const entry: Entry = {
      seq: call.seq,
      index,
      wire,
      expectsReply: encoded.expectsReply && call.kind !== "send",
      own: encoded.own,
      frame: encoded.frame,
      bytes: sizeOf(encoded.frame),
      epoch: 0,
      order: 0,
      deadline: call.deadline,
      dueAt,
      arrivedAt: now,
      writtenAt: 0,
    };
    this.#pending.add(entry);
    this.#wheel.add(entry, dueAt);
    this.#held.add(entry);
    this.#heldBytes += entry.bytes;
  }

  /** Counts up and never comes back, but for dialects whose ids end: there it begins anew, past all that are in flight. */
  #drawWire(): WireId {
    do this.#lastWire = this.#lastWire >= this.#protocol.maxId ? 1 : this.#lastWire + 1;
    while (this.#pending.has(this.#lastWire) || this.#tombstones.has(this.#lastWire));
    return this.#lastWire;
  }

  // Going out.

  /** Hands everything over that can go, and gives back what has gathered. */
  #flush(now: number): readonly ExchangeEffect[] {
    if (this.#link.type === "ready") {
      for (const entry of this.#held) {
        if (this.#lane && !this.#lane.takes(entry.expectsReply)) break;
        this.#write(entry, this.#link.epoch, now);
      }
    }
    return this.#take();
  }

  #write(entry: Entry, epoch: number, now: number): void {
    const { frame } = entry;
    if (frame === undefined) return;
    this.#unhold(entry);
    entry.frame = undefined;
    entry.epoch = epoch;
    entry.order = ++this.#handedOver;
    entry.writtenAt = now;
    this.#effects.push({ type: "write", epoch, entry, frame });
    if (this.#lane && entry.expectsReply) this.#lane.current = entry;
    else if (this.#lane) this.#bury(this.#lane, false, now);
  }

  #take(): readonly ExchangeEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** The request that a frame on this connection answers: in a lane the one in flight, whatever id it seems to have. */
  #answered(epoch: number, wire: WireId): Entry | undefined {
    if (!this.#lane) return this.#pending.match(epoch, wire);
    return this.#lane.current?.epoch === epoch ? this.#lane.current : undefined;
  }

  // Endings.

  #reply(entry: Entry, render: (own: unknown) => Body, now: number): void {
    const { arrivedAt, writtenAt } = entry;
    this.counters.replies++;
    if (this.#lane) this.#lane.current = undefined;
    this.#forget(entry);
    const times = {
      queueMs: writtenAt - arrivedAt,
      upstreamMs: now - writtenAt,
    };
    this.#settle(entry.seq, entry.index, {
      type: "reply",
      body: render(entry.own),
      ...times,
    });
  }

  #timeOut(entry: Entry, now: number): void {
    const waited = `${Math.round(entry.dueAt - entry.arrivedAt)} ms`;
    if (entry.epoch === 0 && entry.dueAt < entry.deadline) {
      const detail = `there was no connection to the upstream within ${waited}`;
      this.#fail(entry, {
        code: "upstream_down",
        sent: "no",
        detail,
        retryAfterMs: 1_000,
      });
      return;
    }
    const sent = this.#sent(entry);
    const detail = sent === "no" ? `the message could not be sent within ${waited}` : `no reply came within ${waited}`;
    this.#end(entry, now);
    if (sent === "maybe") this.#effects.push({ type: "probe" });
    this.#failed(entry, { code: "reply_timeout", sent, detail });
  }

  #fail(entry: Entry, failure: Failure): void {
    if (this.#lane?.current === entry) this.#lane.current = undefined;
    this.#forget(entry);
    this.#failed(entry, failure);
  }

  #failed(entry: Entry, failure: Failure): void {
    this.#refuse(entry.seq, entry.index, {
      type: "failed",
      failure,
      own: ownId(entry.own),
    });
  }

  /** The request is over for its caller while its reply may still come: that one must not answer anything else. */
  #end(entry: Entry, now: number): void {
    this.#forget(entry);
    if (entry.epoch === 0) return;
    if (this.#lane) {
      this.#lane.current = undefined;
      this.#bury(this.#lane, true, now);
    } else {
      this.#tombstones.add(entry.wire);
      if (this.#tombstones.size > this.#tombstonesMax) {
        for (const oldest of this.#tombstones) {
          this.#tombstones.delete(oldest);
          break;
        }
      }
    }
  }

  #forget(entry: Entry): void {
    this.#pending.remove(entry);
    this.#wheel.remove(entry, entry.dueAt);
    if (entry.frame !== undefined) this.#unhold(entry);
  }

  #unhold(entry: Entry): void {
    if (this.#held.delete(entry)) this.#heldBytes -= entry.bytes;
  }

  #file(entry: Entry, at: number): void {
    this.#wheel.remove(entry, entry.dueAt);
    entry.dueAt = at;
    this.#wheel.add(entry, at);
  }

  #clearLane(): void {
    if (this.#lane) this.#unfile(this.#lane, this.#lane.until);
    this.#lane?.clear();
  }

  #bury(lane: Lane, owed: boolean, now: number): void {
    this.#unfile(lane, lane.until);
    this.#wheel.add(lane, lane.bury(now, owed));
  }

  #unfile(lane: Lane, until: number | undefined): void {
    if (until !== undefined) this.#wheel.remove(lane, until);
  }

  #settle(seq: number, index: number, outcome: Outcome): void {
    const batch = this.#batches.get(seq);
    if (!batch) {
      this.#effects.push({ type: "settle", seq, outcome });
      return;
    }
    if (outcome.type === "reply" || outcome.type === "failed") batch.items[index] = outcome;
    if (--batch.left > 0) return;
    this.#batches.delete(seq);
    const items = batch.items.filter((item) => item !== undefined);
    this.#effects.push({
      type: "settle",
      seq,
      outcome: items.length === 0 ? { type: "done" } : { type: "batch", items },
    });
  }

  #refuse(seq: number, index: number, outcome: Failed): void {
    this.counters.failures++;
    this.#settle(seq, index, outcome);
  }

  // Frames that answer nothing.

  #message(type: "message" | "noise", frame: Body): void {
    if (type === "noise") this.counters.noise++;
    this.counters.messages++;
    this.#effects.push({ type: "message", frame });
  }

  #unexpected(epoch: number, wire: WireId, frame: Body): void {
    if (this.#lane) {
      this.#unexpectedInLane(this.#lane, epoch, frame);
      return;
    }
    if (this.#tombstones.delete(wire)) {
      this.counters.late++;
      return;
    }
    this.counters.unclaimed++;
    this.#message("message", frame);
  }

  #unexpectedInLane(lane: Lane, epoch: number, frame: Body): void {
    const { until } = lane;
    // A connection that was renewed may talk on while it closes: what it says is not what its successor owes.
    const late = epoch === this.#epoch && lane.hear();
    if (until !== lane.until) this.#unfile(lane, until);
    if (late) this.counters.late++;
    else this.#message("message", frame);
  }

  // What is known.

  #sent(entry: Entry): Sent {
    if (entry.epoch === 0) return "no";
    return entry.epoch === this.#epoch && entry.order <= this.#proven ? "yes" : "maybe";
  }

  #unavailable(link: Extract<Availability, { type: "down" }>, now: number): Failure {
    const retryAfterMs = link.until === undefined ? undefined : Math.max(0, Math.ceil(link.until - now));
    return { ...link.failure, sent: "no", retryAfterMs };
  }
}

const shuttingDown: Failure = {
  code: "shutting_down",
  sent: "no",
  detail: "the service is shutting down",
};

function invalid(error: unknown): Failed {
  if (!(error instanceof InvalidMessage)) throw error;
  const failure = {
    code: "invalid_request",
    sent: "no",
    detail: error.message,
  } as const;
  return { type: "failed", failure, own: error.own, invalid: error.kind };
}

/** The id of the caller as it was written, when the protocol kept one. */
function ownId(own: unknown): string | undefined {
  return typeof own === "string" ? own : undefined;
}

/** Of a text the number of UTF-16 units: near enough to a bound, and known without encoding it. */
function sizeOf(body: Body): number {
  return body.length;
}
