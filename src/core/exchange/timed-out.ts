/** Requests that timed out after they were sent, kept because their replies may still come and are wanted. */
import type { FrameWithId, WireId } from "../../protocols/protocol.ts";
import type { Disconnect } from "../connection/disconnect.ts";
import type { Outcome } from "../outcome.ts";
import type { DeliveryProofs } from "./delivery-proofs.ts";
import type { ExchangeEffect } from "./effects.ts";
import * as failures from "./failures.ts";
import type { Owner, SentEntry } from "./request-table.ts";

/** The part of an entry that makes a reply of a late frame. The frame that was sent is not kept. */
interface TimedOutEntry extends Pick<SentEntry, "wire" | "expectsReply" | "own" | "arrivedAt" | "phase"> {
  readonly owner: Owner;
  readonly seq: number;
}

type LateEffect = Extract<ExchangeEffect, { type: "late" }>;

/** The bound on kept requests, as large as that on buried ids. Beyond it the oldest are dropped. */
const TIMED_OUT_MAX = 10_000;
/** The longest id of a caller that is kept: ten thousand longer ones could fill the memory. */
const OWN_MAX_CHARACTERS = 1_024;

export class TimedOut {
  readonly #delivery: DeliveryProofs;
  readonly #inOrder: boolean;
  /** By id on the wire. A confirmed send whose protocol keeps callers' ids has none, and is its own key. */
  readonly #entries = new Map<WireId | TimedOutEntry, TimedOutEntry>();

  /** @param inOrder true if replies do not name their request */
  constructor(delivery: DeliveryProofs, inOrder: boolean) {
    this.#delivery = delivery;
    this.#inOrder = inOrder;
  }

  keep({ request, wire, expectsReply, own, arrivedAt, phase }: SentEntry): void {
    if (typeof own === "string" && own.length > OWN_MAX_CHARACTERS) return;
    const { owner, seq } = request;
    const entry = { owner, seq, wire, expectsReply, own, arrivedAt, phase };
    this.#entries.set(keyOf(entry), entry);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > TIMED_OUT_MAX && oldest !== undefined) this.#entries.delete(oldest);
  }

  /** Takes a late reply. Undefined if its request was abandoned, so that nobody wants it. */
  onReplyFrame(connection: number, decoded: FrameWithId, now: number): LateEffect | undefined {
    // Of replies that do not name their request at most one is owed; a send that waited for a pong is owed none.
    const entry = this.#inOrder
      ? this.#takeAll(connection, ({ expectsReply }) => expectsReply)[0]
      : this.#take(connection, decoded.id);
    if (!entry) return undefined;
    if (decoded.type !== "reply" || decoded.gather) {
      const failure = decoded.type === "invalid" ? failures.unusable(decoded.why) : failures.lateParts;
      return late(entry, { type: "failed", failure });
    }
    const { arrivedAt, phase } = entry;
    const times = { queueMs: phase.at - arrivedAt, upstreamMs: now - phase.at };
    return late(entry, { type: "reply", body: decoded.render(entry.own), ...times });
  }

  /** Fails all that were sent on a connection that ended: their replies can no longer come. */
  onLost(connection: number, why: Disconnect): LateEffect[] {
    return this.#takeAll(connection).map((entry) =>
      late(entry, { type: "failed", failure: failures.lost(this.#delivery.sent(entry), why, "reply") }),
    );
  }

  #take(connection: number, wire: WireId): TimedOutEntry | undefined {
    const entry = this.#entries.get(wire);
    if (entry?.phase.connection !== connection) return undefined;
    this.#entries.delete(wire);
    return entry;
  }

  #takeAll(connection: number, wanted = (_: TimedOutEntry) => true): TimedOutEntry[] {
    const entries = [...this.#entries.values()].filter(
      (entry) => entry.phase.connection === connection && wanted(entry),
    );
    for (const entry of entries) this.#entries.delete(keyOf(entry));
    return entries;
  }
}

function keyOf(entry: TimedOutEntry): WireId | TimedOutEntry {
  return entry.wire ?? entry;
}

function late({ owner, seq }: TimedOutEntry, outcome: Outcome): LateEffect {
  return { type: "late", owner, seq, outcome };
}
