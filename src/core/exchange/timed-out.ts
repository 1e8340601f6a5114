/** Requests that timed out after they were sent, kept because their replies may still come and are wanted. */

import type { Failure } from "../../errors.ts";
import type { Body, Protocol, ReplyFrame, WireId } from "../../protocols/protocol.ts";
import type { Disconnect } from "../connection/disconnect.ts";
import { LATE_MAX, type Outcome } from "../outcome.ts";
import { TransientMap } from "../util/transient.ts";
import type { DeliveryProofs } from "./delivery-proofs.ts";
import type { ExchangeEffect } from "./effects.ts";
import * as failures from "./failures.ts";
import type { Reassembly } from "./reassembly.ts";
import type { Entry, Owner, SentEntry } from "./request-table.ts";

/** The part of an entry that makes a reply of a late frame. The frame that was sent is not kept. */
export interface TimedOutEntry
  extends Pick<SentEntry, "wire" | "expectsReply" | "subscribes" | "own" | "arrivedAt" | "phase"> {
  readonly owner: Owner;
  readonly seq: number;
}

type LateEffect = Extract<ExchangeEffect, { type: "late" | "send" }>;

/** The longest id of a caller that is kept: ten thousand longer ones could fill the memory. */
const OWN_MAX_CHARACTERS = 1_024;

/** The late reply of each is gathered frame by frame, within the bounds that it had before. */
export class TimedOut {
  readonly #delivery: DeliveryProofs;
  readonly #reassembly: Reassembly<Entry | TimedOutEntry>;
  readonly #protocol: Pick<Protocol, "correlation">;
  readonly #cancellation: (wire: WireId, connection: number) => Body | undefined;
  /** By id on the wire. A confirmed send whose protocol keeps callers' ids has none, and is its own key. */
  readonly #entries = new TransientMap<WireId | TimedOutEntry, TimedOutEntry>();

  /** @param cancellation returns the frame that cancels the rest of a reply */
  constructor(
    protocol: Pick<Protocol, "correlation">,
    reassembly: Reassembly<Entry | TimedOutEntry>,
    delivery: DeliveryProofs,
    cancellation: (wire: WireId, connection: number) => Body | undefined,
  ) {
    this.#cancellation = cancellation;
    this.#protocol = protocol;
    this.#reassembly = reassembly;
    this.#delivery = delivery;
  }

  /** Call before the request is forgotten: the frames of its reply that have come are taken over. */
  keep(sent: SentEntry): void {
    const { request, wire, expectsReply, subscribes, own, arrivedAt, phase } = sent;
    if (typeof own === "string" && own.length > OWN_MAX_CHARACTERS) return;
    const { owner, seq } = request;
    const entry = { owner, seq, wire, expectsReply, subscribes, own, arrivedAt, phase };
    this.#entries.set(keyOf(entry), entry);
    this.#reassembly.move(sent, entry);
    const [oldest] = this.#entries.values();
    if (this.#entries.size > LATE_MAX && oldest !== undefined) this.#forget(oldest);
  }

  /** Takes a frame of a late reply. No effect if its request was abandoned, so that nobody wants it. */
  onReplyFrame(connection: number, decoded: ReplyFrame, now: number): readonly LateEffect[] {
    const entry = this.#find(connection, decoded.id);
    if (!entry) return [];
    switch (decoded.type) {
      case "part": {
        entry.phase.acknowledged = true;
        const exceeded = this.#reassembly.add(entry, decoded.render(entry.own), now);
        return exceeded === undefined ? [] : this.giveUp(entry, failures.tooMuch(exceeded));
      }
      case "invalid":
        return [this.#end(entry, { type: "failed", failure: failures.unusable(decoded.why) })];
      case "reply": {
        const { arrivedAt, phase } = entry;
        const last = decoded.render(entry.own);
        const body = decoded.gather?.([...this.#reassembly.framesOf(entry), last]) ?? last;
        const times = { queueMs: phase.at - arrivedAt, upstreamMs: now - phase.at };
        return [this.#end(entry, { type: "reply", body, ...times })];
      }
    }
  }

  /** Fails all that were sent on a connection that ended: their replies can no longer come. */
  onLost(connection: number, why: Disconnect): readonly LateEffect[] {
    const lost = [...this.#entries.values()].filter(({ phase }) => phase.connection === connection);
    return lost.map((entry) =>
      this.#end(entry, { type: "failed", failure: failures.lost(this.#delivery.sent(entry), why, "reply") }),
    );
  }

  /** Fails a request whose reply goes on. The upstream may stop sending it. */
  giveUp(entry: TimedOutEntry, failure: Failure): readonly LateEffect[] {
    const { wire, phase } = entry;
    const end = this.#end(entry, { type: "failed", failure });
    const frame = wire === undefined ? undefined : this.#cancellation(wire, phase.connection);
    return frame === undefined ? [end] : [end, { type: "send", connection: phase.connection, frame }];
  }

  #end(entry: TimedOutEntry, outcome: Outcome): LateEffect {
    this.#forget(entry);
    return { type: "late", owner: entry.owner, seq: entry.seq, outcome };
  }

  #forget(entry: TimedOutEntry): void {
    this.#entries.delete(keyOf(entry));
    this.#reassembly.forget(entry);
  }

  /** Of replies that do not name their request at most one is owed; a send that waited for a pong is owed none. */
  #find(connection: number, wire: WireId): TimedOutEntry | undefined {
    if (this.#protocol.correlation === "order") {
      return [...this.#entries.values()].find((one) => one.expectsReply && one.phase.connection === connection);
    }
    const entry = this.#entries.get(wire);
    return entry?.phase.connection === connection ? entry : undefined;
  }
}

function keyOf(entry: TimedOutEntry): WireId | TimedOutEntry {
  return entry.wire ?? entry;
}
