/** The requests in flight, each with its place in the table and its batch, its deadline and the frames of its reply. */
import type { Failure } from "../../errors.ts";
import { frameText } from "../../protocols/condition.ts";
import { LARGE_TEXT, outlineOf } from "../../protocols/outline.ts";
import type { Aliased, Body, Classified, Protocol, ReplyFrame, WireId } from "../../protocols/protocol.ts";
import { refusesCommonly } from "../messages/subscription-recipe.ts";
import { type Counters, type Failed, HEAVY_BYTES, inBytes, type Outcome } from "../outcome.ts";
import type { Budget } from "../util/budget.ts";
import { ConfiguredFrames } from "./configured-frames.ts";
import { CorrelateById } from "./correlate-by-id.ts";
import { CorrelateByOrder } from "./correlate-by-order.ts";
import type { Correlation } from "./correlation.ts";
import { Deadlines } from "./deadlines.ts";
import type { DeliveryProofs } from "./delivery-proofs.ts";
import type { Effects } from "./effects.ts";
import * as failures from "./failures.ts";
import type { Reassembly } from "./reassembly.ts";
import {
  type Entry,
  type HeldEntry,
  isSent,
  type OwnedRequest,
  type Owner,
  RequestTable,
  type SentEntry,
} from "./request-table.ts";
import type { TimedOutEntry } from "./timed-out.ts";

/** Each request ends here, exactly once, and everything kept for it ends with it. */
export class InFlight {
  readonly table = new RequestTable();
  readonly configured = new ConfiguredFrames();
  readonly correlation: Correlation;
  readonly budget: Budget;
  readonly #protocol: Protocol;
  readonly #delivery: DeliveryProofs;
  readonly #effects: Effects;
  readonly #counters: Counters;
  readonly #deadlines = new Deadlines();
  readonly #reassembly: Reassembly<Entry | TimedOutEntry>;

  constructor(
    protocol: Protocol,
    reassembly: Reassembly<Entry | TimedOutEntry>,
    delivery: DeliveryProofs,
    effects: Effects,
    counters: Counters,
    budget: Budget,
  ) {
    const byOrder = protocol.correlation === "order";
    const { table, configured } = this;
    this.correlation = byOrder ? new CorrelateByOrder(protocol) : new CorrelateById(table, configured, protocol);
    this.#protocol = protocol;
    this.budget = budget;
    this.#delivery = delivery;
    this.#effects = effects;
    this.#counters = counters;
    this.#reassembly = reassembly;
  }

  /** When `due` must be called; undefined if no request has a deadline. */
  get nextDeadline(): number | undefined {
    return this.#deadlines.next;
  }

  /** Takes the requests whose deadline has passed. */
  due(now: number): readonly Entry[] {
    return this.#deadlines.due(now);
  }

  /** The classification of a frame that may name its request by an alias. */
  named(connection: number, decoded: Classified | Aliased): Classified {
    if (decoded.type !== "aliased") return decoded;
    const wire = this.correlation.named(connection, decoded.alias);
    return wire === undefined ? decoded.otherwise : decoded.of(wire);
  }

  /** The frame that cancels the rest of a reply; undefined if there is none, or it cannot be made. */
  cancellation(wire: WireId, connection: number): Body | undefined {
    return this.#protocol.cancel?.(wire, this.correlation.aliasOf(wire), connection);
  }

  add(entry: HeldEntry): void {
    this.table.add(entry);
    this.#deadlines.add(entry);
  }

  reschedule(entry: Entry, dueAt: number): void {
    this.#deadlines.move(entry, dueAt);
  }

  /**
   * Lifts the deadline of a stream that subscribes, whose first frame may be long in coming. If the socket does not
   * take its frame, the request has failed before the shell comes to this effect.
   */
  beginStream(entry: SentEntry): void {
    this.#deadlines.remove(entry);
    this.#effects.push({ type: "begun", seq: entry.request.seq });
  }

  /**
   * Takes what is the entry's reply or a part of it.
   * @param frame the frame as it came: the outline of a large one is that of its text, without the caller's id
   */
  onReplyFrame(entry: SentEntry, decoded: ReplyFrame, frame: Body, now: number): void {
    switch (decoded.type) {
      case "reply": {
        const body = decoded.render(entry.own);
        const gather = entry.streams ? undefined : decoded.gather;
        const whole = gather?.([...this.#reassembly.framesOf(entry), body]) ?? body;
        if (entry.bytesOnly) this.#replyOfBytes(entry, whole, frame, now);
        else this.#reply(entry, whole, now);
        break;
      }
      case "invalid":
        this.fail(entry, failures.unusable(decoded.why));
        break;
      case "part": {
        entry.phase.acknowledged = true;
        if (entry.bytesOnly) {
          this.#passOnBytes(entry, frame, now);
          break;
        }
        const body = decoded.render(entry.own);
        if (entry.streams) this.#passOn(entry, body, now);
        else {
          const exceeded = this.#reassembly.add(entry, body, now);
          if (exceeded !== undefined) this.giveUp(entry, failures.tooMuch(exceeded), now);
        }
      }
    }
  }

  /** True if the reply crosses to its caller as the bytes of one frame, if it is large. */
  takesBytes({ request, streams }: SentEntry): boolean {
    return request.owner === "caller" && request.batch === undefined && !streams;
  }

  /** Takes the bytes of a text that is the entry's whole reply. */
  onLargeReply(entry: SentEntry, body: Uint8Array, now: number): void {
    this.#reply(entry, body, now, true);
  }

  /** The last frame, too, may carry bytes. If there is no room for them, nothing more is to come all the same. */
  #replyOfBytes(entry: SentEntry, body: Body, frame: Body, now: number): void {
    const bytes = typeof frame === "string" ? this.#protocol.bytesIn?.(frame) : undefined;
    const exceeded = bytes && this.#reassembly.passOn(entry, bytes, now);
    if (exceeded !== undefined) {
      this.fail(entry, failures.unread(exceeded));
      return;
    }
    if (bytes) this.#effects.push({ type: "part", seq: entry.request.seq, body: bytes });
    this.#reply(entry, body, now, false, entry.phase.isCut || this.#isCut(frame));
  }

  /** Makes room: the reader of a stream has taken frames of this weight. */
  taken(seq: number, weight: number): void {
    for (const entry of this.table.entriesOf("caller", seq)) this.#reassembly.taken(entry, weight);
  }

  /** A frame without bytes is only a sign that the reply goes on. */
  #passOnBytes(entry: SentEntry, frame: Body, now: number): void {
    const bytes = typeof frame === "string" ? this.#protocol.bytesIn?.(frame) : frame;
    if (bytes !== undefined) {
      this.#passOn(entry, bytes, now);
      return;
    }
    this.#reassembly.goesOn(entry, now);
    if (typeof frame === "string" && isJudged(frame) && this.#protocol.cutsShort?.(frame)) entry.phase.isCut = true;
  }

  /** From its first frame on a stream has no deadline: it goes on for as long as it is read and does not stall. */
  #passOn(entry: SentEntry, body: Body, now: number): void {
    this.#deadlines.remove(entry);
    const exceeded = this.#reassembly.passOn(entry, body, now);
    if (exceeded === undefined) this.#effects.push({ type: "part", seq: entry.request.seq, body });
    else this.failEarly(entry, failures.unread(exceeded), now);
  }

  // Endings.

  #reply(entry: SentEntry, body: Body, now: number, isText = false, isCut = false): void {
    const { arrivedAt, phase } = entry;
    this.#counters.replies++;
    this.correlation.ended(entry, now);
    this.forget(entry);
    const reply: Outcome = { type: "reply", body, queueMs: phase.at - arrivedAt, upstreamMs: now - phase.at };
    // Nearly every reply has neither, and a spread costs each of them as much as its place in the table.
    const marked = isText || isCut ? { ...reply, ...(isText && { isText }), ...(isCut && { isCut }) } : reply;
    this.#settle(entry.request, entry.index, marked);
  }

  /** Judges the frame that ends a reply of bytes, which say nothing about whether they are all. */
  #isCut(last: Body): boolean {
    if (!isJudged(last)) return false;
    const frame = frameText(last);
    if (refusesCommonly(frame)) return true;
    const { text } = frame;
    if (text === undefined) return false;
    return this.#protocol.refuses?.(text) === true || this.#protocol.cutsShort?.(text) === true;
  }

  /** Ends an entry that was sent and waits for nothing more. */
  complete(entry: SentEntry): void {
    this.forget(entry);
    const { connection } = entry.phase;
    this.#settle(entry.request, entry.index, entry.inSeries ? { type: "done", connection } : { type: "done" });
  }

  /** Fails an entry whose reply can no longer come. */
  fail(entry: Entry, failure: Failure): void {
    if (isSent(entry)) this.correlation.ended(entry);
    this.forget(entry);
    this.#failForgotten(entry, failure);
  }

  /** Fails an entry whose reply may still come. `upstreamError`: the upstream's own error, as JSON. */
  failEarly(entry: Entry, failure: Failure, now: number, upstreamError?: string): void {
    this.#orphan(entry, now, entry.streams);
    this.#failForgotten(entry, failure, upstreamError);
  }

  /** Fails an entry whose reply is not wanted any more. The upstream may stop sending it. */
  giveUp(entry: Entry, failure: Failure, now: number): void {
    this.#orphan(entry, now, true);
    this.#failForgotten(entry, failure);
  }

  /** Ends a request whose caller has left, without an outcome. Its reply, if one comes, is late. */
  abandon(seq: number, now: number): void {
    for (const entry of this.table.entriesOf("caller", seq)) {
      this.#counters.abandoned++;
      entry.request.batch?.abandon();
      this.#orphan(entry, now, true);
    }
  }

  /** Drops the owner's entries that are not on a socket yet, without an outcome. @returns their numbers */
  withdraw(owner: Owner): readonly number[] {
    const withdrawn: number[] = [];
    for (const entry of this.table.held[owner]) {
      this.#counters.abandoned++;
      this.forget(entry);
      withdrawn.push(entry.request.seq);
    }
    return withdrawn;
  }

  /** Fails an item that is not in the table: it was not admitted, or is forgotten. */
  refuse(request: OwnedRequest, index: number, outcome: Failed): void {
    this.#counters.failures++;
    this.#settle(request, index, outcome);
  }

  forget(entry: Entry): void {
    this.table.remove(entry);
    if (entry.confirms && isSent(entry)) this.#delivery.forget(entry);
    this.#deadlines.remove(entry);
    this.#reassembly.forget(entry);
  }

  #failForgotten(entry: Entry, failure: Failure, upstreamError?: string): void {
    this.refuse(entry.request, entry.index, failures.failed(failure, entry.own, upstreamError));
  }

  /** Ends an entry for its owner while its reply may still come: that reply must not answer anything else. */
  #orphan(entry: Entry, now: number, cancels: boolean): void {
    this.forget(entry);
    if (!isSent(entry) || !entry.expectsReply) return;
    const { wire, phase } = entry;
    const frame = cancels && wire !== undefined ? this.cancellation(wire, phase.connection) : undefined;
    this.correlation.orphaned(entry, now, this.#delivery.isNewest(phase.connection));
    if (frame !== undefined) this.#effects.push({ type: "send", connection: phase.connection, frame });
    else if (cancels) this.correlation.cancelOnceNamed(entry);
  }

  /** Cancels the rest of a reply that nobody reads, now that its alias is known. */
  cancelNamed(connection: number, wire: WireId): void {
    if (!this.correlation.takeUncancelled(wire)) return;
    const frame = this.cancellation(wire, connection);
    if (frame !== undefined) this.#effects.push({ type: "send", connection, frame });
  }

  /** The reply, if it is small or there is memory for it until its caller has taken it. */
  #passable(outcome: Outcome): Outcome {
    if (outcome.type !== "reply" || outcome.body.length < HEAVY_BYTES) return outcome;
    const heavy = inBytes(outcome);
    if (!this.budget.allows("answers", heavy.body.length))
      return failures.failed(failures.noRoomFor(this.budget), undefined);
    this.budget.take("answers", heavy.body.length);
    return heavy;
  }

  #settle({ owner, seq, batch }: OwnedRequest, index: number, outcome: Outcome): void {
    const whole = batch ? batch.settle(index, outcome) : owner === "caller" ? this.#passable(outcome) : outcome;
    if (whole) this.#effects.push({ type: "settle", owner, seq, outcome: whole });
  }
}

/** True for a frame that can be judged at once. Any other is taken for one that refuses nothing. */
function isJudged(frame: Body): boolean {
  return frame.length <= LARGE_TEXT || (typeof frame === "string" && outlineOf(frame) !== undefined);
}
