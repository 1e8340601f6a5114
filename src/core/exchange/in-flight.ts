import type { Failure } from "../../errors.ts";
import type { Body, FrameWithId, Protocol } from "../../protocols/protocol.ts";
import type { Counters, Failed, Outcome } from "../outcome.ts";
import { TimerWheel } from "../util/timer-wheel.ts";
import { CorrelateById } from "./correlate-by-id.ts";
import { CorrelateByOrder } from "./correlate-by-order.ts";
import type { Correlation } from "./correlation.ts";
import type { DeliveryProofs } from "./delivery-proofs.ts";
import type { Effects } from "./effects.ts";
import * as failures from "./failures.ts";
import { Reassembly } from "./reassembly.ts";
import {
  type Entry,
  type HeldEntry,
  isSent,
  type OwnedRequest,
  type Owner,
  RequestTable,
  type SentEntry,
} from "./request-table.ts";

/** A reply is gathered of at most so many frames, where the protocol does not say. */
const MAX_FRAMES = 1_000;

/**
 * The requests in flight with all that is kept for each: its place in the table and in its batch, its deadline, the
 * frames of its reply. Here each of them ends, and all of that with it.
 */
export class InFlight {
  readonly table = new RequestTable();
  readonly correlation: Correlation;
  readonly #protocol: Protocol;
  readonly #delivery: DeliveryProofs;
  readonly #effects: Effects;
  readonly #counters: Counters;
  readonly #wheel = new TimerWheel<Entry>();
  readonly #gathered: Reassembly;

  /** @param replyBytes `limits.reply_bytes` */
  constructor(protocol: Protocol, replyBytes: number, delivery: DeliveryProofs, effects: Effects, counters: Counters) {
    const byOrder = protocol.correlation === "order";
    this.correlation = byOrder ? new CorrelateByOrder() : new CorrelateById(this.table, protocol);
    this.#protocol = protocol;
    this.#delivery = delivery;
    this.#effects = effects;
    this.#counters = counters;
    this.#gathered = new Reassembly(protocol.maxFrames ?? MAX_FRAMES, replyBytes);
  }

  /** When `due` must be called; undefined if no request has a deadline. */
  get nextDeadline(): number | undefined {
    return this.#wheel.next();
  }

  /** Takes the requests whose deadline has passed off the wheel. */
  due(now: number): readonly Entry[] {
    return this.#wheel.due(now);
  }

  add(entry: HeldEntry): void {
    this.table.add(entry);
    this.#wheel.add(entry, entry.dueAt);
  }

  /** It has until `at` from here on. */
  file(entry: Entry, at: number): void {
    this.#wheel.remove(entry, entry.dueAt);
    entry.dueAt = at;
    this.#wheel.add(entry, at);
  }

  /** Its first frame may be long in coming. When the socket does not take it, it has failed before this is said. */
  begin(entry: Entry): void {
    this.#wheel.remove(entry, entry.dueAt);
    this.#effects.push({ type: "begun", seq: entry.request.seq });
  }

  /** A frame came for it, which is its reply or belongs to that. */
  onReplyFrame(entry: SentEntry, decoded: Exclude<FrameWithId, { type: "progress" }>, now: number): void {
    switch (decoded.type) {
      case "reply": {
        const body = decoded.render(entry.own);
        const gather = entry.streams ? undefined : decoded.gather;
        this.#reply(entry, gather?.([...this.#gathered.of(entry), body]) ?? body, now);
        break;
      }
      case "invalid":
        this.fail(entry, failures.unusable(decoded.why));
        break;
      case "part": {
        entry.phase.acknowledged = true;
        const body = decoded.render(entry.own);
        if (entry.streams) this.#part(entry, body, now);
        else {
          const over = this.#gathered.add(entry, body);
          if (over !== undefined) this.leave(entry, failures.tooMuch(over), now);
        }
      }
    }
  }

  /** The reader of a stream has taken frames of so much weight: there is room for more. */
  taken(seq: number, weight: number): void {
    for (const entry of this.table.of("caller", seq)) this.#gathered.taken(entry, weight);
  }

  /** A stream that has begun goes on for as long as it is read. */
  #part(entry: SentEntry, body: Body, now: number): void {
    this.#wheel.remove(entry, entry.dueAt);
    const over = this.#gathered.handOn(entry, body);
    if (over === undefined) this.#effects.push({ type: "part", seq: entry.request.seq, body });
    else this.leave(entry, failures.unread(over), now);
  }

  // Endings.

  #reply(entry: SentEntry, body: Body, now: number): void {
    const { arrivedAt, phase } = entry;
    this.#counters.replies++;
    this.correlation.ended(entry);
    this.forget(entry);
    const times = { queueMs: phase.at - arrivedAt, upstreamMs: now - phase.at };
    this.#settle(entry.request, entry.index, { type: "reply", body, ...times });
  }

  /** It went out, and nothing more is wanted of it. */
  done(entry: Entry): void {
    this.forget(entry);
    this.#settle(entry.request, entry.index, { type: "done" });
  }

  /** No reply can come any more. */
  fail(entry: Entry, failure: Failure): void {
    if (isSent(entry)) this.correlation.ended(entry);
    this.forget(entry);
    this.#failed(entry, failure);
  }

  /** Fails a request whose reply may still come. */
  leave(entry: Entry, failure: Failure, now: number): void {
    this.#orphan(entry, now);
    this.#failed(entry, failure);
  }

  /** The caller has left: nobody is told. Its reply, when it comes, is late. */
  abandon(seq: number, now: number): void {
    for (const entry of this.table.of("caller", seq)) {
      this.#counters.abandoned++;
      this.#orphan(entry, now);
    }
  }

  /** The owner waits for none of its requests any more: those that are not on a socket yet never will be. */
  withdraw(owner: Owner): void {
    for (const entry of this.table.held) {
      if (entry.request.owner !== owner) continue;
      this.#counters.abandoned++;
      this.forget(entry);
    }
  }

  /** Ends one that is not in the table: it was not taken in, or is forgotten. */
  refuse(request: OwnedRequest, index: number, outcome: Failed): void {
    this.#counters.failures++;
    this.#settle(request, index, outcome);
  }

  forget(entry: Entry): void {
    this.table.remove(entry);
    if (entry.confirms && isSent(entry)) this.#delivery.forget(entry);
    this.#wheel.remove(entry, entry.dueAt);
    this.#gathered.forget(entry);
  }

  #failed(entry: Entry, failure: Failure): void {
    this.refuse(entry.request, entry.index, failures.failed(failure, entry.own));
  }

  /** The request is over for its caller while its reply may still come: that one must not answer anything else. */
  #orphan(entry: Entry, now: number): void {
    this.forget(entry);
    if (!isSent(entry) || !entry.expectsReply) return;
    const { streams, wire, phase } = entry;
    this.correlation.orphaned(entry, now, this.#delivery.isNewest(phase.connection));
    const frame = streams && wire !== undefined ? this.#protocol.cancel?.(wire) : undefined;
    if (frame !== undefined) this.#effects.push({ type: "answer", connection: phase.connection, frame });
  }

  #settle({ owner, seq, batch }: OwnedRequest, index: number, outcome: Outcome): void {
    const whole = batch ? batch.settle(index, outcome) : outcome;
    if (whole) this.#effects.push({ type: "settle", owner, seq, outcome: whole });
  }
}
