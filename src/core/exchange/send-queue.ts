import type { UpstreamSettings } from "../../config/schema.ts";
import type { Failure } from "../../errors.ts";
import type { Body, WireId } from "../../protocols/protocol.ts";
import type { Availability } from "../connection/session.ts";
import type { DeliveryProofs } from "./delivery-proofs.ts";
import type { Effects } from "./effects.ts";
import * as failures from "./failures.ts";
import type { InFlight } from "./in-flight.ts";
import { RateLimit } from "./rate-limit.ts";
import type { HeldEntry, SentPhase } from "./request-table.ts";

/** A request that finds no connection waits this long for one, in milliseconds, and never past its deadline. */
export const HOLD_MS = 5_000;

type Pace = NonNullable<UpstreamSettings["limits"]["pace"]>;

/** Where messages go and when: what is held waits for a connection, for its turn on it, and for the pace. */
export class SendQueue {
  readonly #requests: InFlight;
  readonly #delivery: DeliveryProofs;
  readonly #effects: Effects;
  readonly #pace: { readonly settings: Pace; readonly limit: RateLimit } | undefined;
  #pacedUntil: number | undefined;
  #availability: Availability = { type: "hold" };

  constructor(
    requests: InFlight,
    pace: UpstreamSettings["limits"]["pace"],
    delivery: DeliveryProofs,
    effects: Effects,
  ) {
    this.#requests = requests;
    this.#delivery = delivery;
    this.#effects = effects;
    this.#pace = pace ? { settings: pace, limit: new RateLimit(pace) } : undefined;
  }

  /** When the pace lets the next message go; undefined when none waits for that. */
  get pacedUntil(): number | undefined {
    return this.#pacedUntil;
  }

  /** Why so many more messages cannot wait for their turn; undefined when they can. */
  problem(items: number, now: number): Failure | undefined {
    if (this.#availability.type === "down") return failures.unavailable(this.#availability, now);
    if (!this.#pace) return undefined;
    const { settings, limit } = this.#pace;
    const over = this.#requests.table.held.size + items - settings.queue;
    const waitMs = over > 0 ? limit.at(over - 1, now) - now : 0;
    return waitMs > 0 ? failures.paced(waitMs, settings) : undefined;
  }

  /** Until when a new message may wait. */
  dueAt(deadline: number, now: number): number {
    return this.#availability.type === "ready" ? deadline : Math.min(deadline, now + HOLD_MS);
  }

  /** The connection changed. What cannot be sent any more fails. @returns whether it is a new one */
  onAvailability(link: Availability, now: number): boolean {
    this.#availability = link;
    if (link.type === "ready" && !this.#delivery.isNewest(link.connection)) {
      this.#delivery.begin(link.connection);
      this.#requests.correlation.clear();
      for (const entry of this.#requests.table.held) this.#requests.file(entry, entry.deadline);
      return true;
    }
    if (link.type === "hold") this.#holdBack(now);
    else if (link.type === "down") this.failHeld(failures.unavailable(link, now));
    return false;
  }

  /** Nothing more is written to this connection: it is gone, or closing, whatever the session knows by now. */
  disconnect(connection: number, now: number): void {
    if (this.#availability.type !== "ready" || this.#availability.connection !== connection) return;
    this.#availability = { type: "hold" };
    this.#holdBack(now);
  }

  failHeld(failure: Failure): void {
    for (const entry of this.#requests.table.held) this.#requests.fail(entry, failure);
  }

  /** Hands everything over that can go. */
  flush(now: number): void {
    this.#pacedUntil = undefined;
    if (this.#availability.type !== "ready") return;
    for (const entry of this.#requests.table.held) {
      if (!this.#requests.correlation.takes(entry.expectsReply)) break;
      if (this.#pace && !this.#takeTurn(this.#pace.limit, now)) break;
      this.#write(entry, this.#availability.connection, now);
    }
  }

  #holdBack(now: number): void {
    for (const entry of this.#requests.table.held) {
      this.#requests.file(entry, Math.min(entry.dueAt, now + HOLD_MS));
    }
  }

  #takeTurn(limit: RateLimit, now: number): boolean {
    const at = limit.at(0, now);
    if (at > now) this.#pacedUntil = at;
    else limit.take(now);
    return at <= now;
  }

  /** Where ids increase, the id is drawn and the frame encoded only now; the protocol may refuse it then. */
  #write(entry: HeldEntry, connection: number, now: number): void {
    const { message } = entry.phase;
    if (typeof message !== "function") {
      this.#handOver(entry, entry.wire, message, connection, now);
      return;
    }
    const wire = this.#requests.correlation.draw();
    let frame: Body;
    try {
      frame = message(wire);
    } catch (error) {
      this.#requests.forget(entry);
      this.#requests.refuse(entry.request, entry.index, failures.invalid(error));
      return;
    }
    this.#handOver(entry, wire, frame, connection, now);
  }

  #handOver(held: HeldEntry, wire: WireId | undefined, frame: Body, connection: number, now: number): void {
    const order = this.#delivery.next();
    const phase: SentPhase = { type: "sent", connection, order, at: now, acknowledged: false };
    const entry = this.#requests.table.send(held, wire, phase);
    this.#effects.push({ type: "write", entry, frame });
    if (entry.subscribes) this.#requests.begin(entry);
    this.#requests.correlation.handedOver(entry, now);
  }
}
