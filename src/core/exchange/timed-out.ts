import type { FrameWithId, WireId } from "../../protocols/protocol.ts";
import type { Disconnect } from "../connection/disconnect.ts";
import type { Outcome } from "../outcome.ts";
import type { DeliveryProofs } from "./delivery-proofs.ts";
import type { ExchangeEffect } from "./effects.ts";
import * as failures from "./failures.ts";
import type { Owner, SentEntry } from "./request-table.ts";

/** What is needed to make a reply of a frame that comes too late. The message itself is not kept. */
interface TimedOutEntry extends Pick<SentEntry, "wire" | "expectsReply" | "own" | "arrivedAt" | "phase"> {
  readonly owner: Owner;
  readonly seq: number;
}

type LateEffect = Extract<ExchangeEffect, { type: "late" }>;

/** More are not remembered: the oldest are forgotten first. As many as there are ids of requests that ended early. */
const LATE_MAX = 10_000;
/** Nobody needs an id of more characters; ten thousand of them must not fill the memory. */
const OWN_MAX_CHARACTERS = 1_024;

/** Requests that timed out after they were sent: their reply may still come, and is wanted. */
export class TimedOut {
  readonly #delivery: DeliveryProofs;
  readonly #inOrder: boolean;
  readonly #entries = new Map<WireId | undefined, TimedOutEntry>();

  /** @param inOrder replies do not name their request */
  constructor(delivery: DeliveryProofs, inOrder: boolean) {
    this.#delivery = delivery;
    this.#inOrder = inOrder;
  }

  keep({ request, wire, expectsReply, own, arrivedAt, phase }: SentEntry): void {
    if (typeof own === "string" && own.length > OWN_MAX_CHARACTERS) return;
    const { owner, seq } = request;
    this.#entries.set(wire, { owner, seq, wire, expectsReply, own, arrivedAt, phase });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > LATE_MAX) this.#entries.delete(oldest);
  }

  /** A late reply came. Undefined when it is of one whose caller has left: nobody wants that. */
  onReplyFrame(connection: number, decoded: FrameWithId, now: number): LateEffect | undefined {
    // Where replies do not name their request, only one is owed at a time; a message that waited for a pong is owed none.
    const entry = this.#inOrder
      ? this.#takeAll(connection, ({ expectsReply }) => expectsReply)[0]
      : this.#take(connection, decoded.id);
    if (!entry) return undefined;
    if (decoded.type !== "reply" || decoded.gather) {
      const failure = decoded.type === "invalid" ? failures.unusable(decoded.why) : failures.lateParts;
      return ended(entry, { type: "failed", failure });
    }
    const { arrivedAt, phase } = entry;
    const times = { queueMs: phase.at - arrivedAt, upstreamMs: now - phase.at };
    return ended(entry, { type: "reply", body: decoded.render(entry.own), ...times });
  }

  /** The connection is over: what it still owed does not come. */
  onLost(connection: number, why: Disconnect): LateEffect[] {
    return this.#takeAll(connection).map((entry) =>
      ended(entry, { type: "failed", failure: failures.lost(this.#delivery.sent(entry), why, "reply") }),
    );
  }

  /** Takes out the one that a frame on this connection answers. */
  #take(connection: number, wire: WireId): TimedOutEntry | undefined {
    const entry = this.#entries.get(wire);
    if (entry?.phase.connection !== connection) return undefined;
    this.#entries.delete(wire);
    return entry;
  }

  /** Takes out all that were sent on this connection, or of these only some. */
  #takeAll(connection: number, which = (_: TimedOutEntry) => true): TimedOutEntry[] {
    const entries = [...this.#entries.values()].filter(
      (entry) => entry.phase.connection === connection && which(entry),
    );
    for (const { wire } of entries) this.#entries.delete(wire);
    return entries;
  }
}

function ended({ owner, seq }: TimedOutEntry, outcome: Outcome): LateEffect {
  return { type: "late", owner, seq, outcome };
}
