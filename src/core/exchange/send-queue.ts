/** The queue of messages that wait for a connection, for their turn on it, or for the rate limit. */
import type { UpstreamSettings } from "../../config/schema.ts";
import type { Failure } from "../../errors.ts";
import type { Body, WireId } from "../../protocols/protocol.ts";
import type { Availability } from "../connection/availability.ts";
import type { DeliveryProofs } from "./delivery-proofs.ts";
import type { Effects } from "./effects.ts";
import * as failures from "./failures.ts";
import type { HeardFrames } from "./heard.ts";
import type { InFlight } from "./in-flight.ts";
import { RateLimit } from "./rate-limit.ts";
import type { HeldEntry, Owner, RequestTable, SentPhase } from "./request-table.ts";

/** How long a request waits for a connection, in milliseconds. It never waits past its deadline. */
export const HOLD_MS = 5_000;

const UNCLAIMED =
  "a frame came that no request waited for, so the next one could have been mistaken for a reply (say what a reply is)";

type Pace = NonNullable<UpstreamSettings["limits"]["pace"]>;

export class SendQueue {
  readonly #requests: InFlight;
  readonly #delivery: DeliveryProofs;
  readonly #heard: Pick<HeardFrames, "count">;
  readonly #effects: Effects;
  #pace: { readonly settings: Pace; readonly limit: RateLimit; readonly reserved: number } | undefined;
  /** The owner of the message that goes out next, if both have some. */
  #turn: Owner = "caller";
  #pacedUntil: number | undefined;
  #availability: Availability = { type: "hold" };

  /** @param pace `limits.pace` */
  constructor(
    requests: InFlight,
    pace: Pace | null,
    delivery: DeliveryProofs,
    heard: Pick<HeardFrames, "count">,
    effects: Effects,
  ) {
    this.#requests = requests;
    this.#heard = heard;
    this.#delivery = delivery;
    this.#effects = effects;
    this.#pace = pace ? paceOf(pace, new RateLimit(pace)) : undefined;
  }

  /** Follows another rate limit from here on. What went out under the former one counts. */
  reconfigure(pace: Pace | null, now: number): void {
    if (!pace) {
      this.#pace = undefined;
      this.#pacedUntil = undefined;
      return;
    }
    const limit = new RateLimit(pace);
    // Without a former limit it is not known what went out: the first span is taken to be used up.
    const sent = this.#pace?.limit.sent ?? new Array<number>(pace.messages).fill(now);
    for (const at of sent) limit.take(at);
    this.#pace = paceOf(pace, limit);
  }

  /** When the rate limit admits the next message; undefined if none waits for it. */
  get pacedUntil(): number | undefined {
    return this.#pacedUntil;
  }

  /** The failure of a request whose `items` messages cannot be queued; undefined if they can. */
  problem(owner: Owner, items: number, now: number): Failure | undefined {
    if (this.#availability.type === "down") return failures.unavailable(this.#availability, now);
    if (!this.#pace) return undefined;
    const { settings, limit, reserved } = this.#pace;
    const { held } = this.#requests.table;
    const excess = held[owner].size + items - settings.queue;
    if (excess <= 0) return undefined;
    // The other owner's messages take every second turn.
    const others = Math.min(excess, held[other(owner)].size);
    const waitMs = limit.at(excess + others - 1 + reserved, now) - now;
    return waitMs > 0 ? failures.paced(waitMs, settings) : undefined;
  }

  /** Until when a new message may wait. */
  dueAt(deadline: number, now: number): number {
    return this.#availability.type === "ready" ? deadline : Math.min(deadline, now + HOLD_MS);
  }

  /** Fails messages that can no longer be sent. @returns true if there is a new connection */
  onAvailability(availability: Availability, now: number): boolean {
    this.#availability = availability;
    if (availability.type === "ready" && !this.#delivery.isNewest(availability.connection)) {
      this.#delivery.begin(availability.connection);
      this.#requests.correlation.clear();
      for (const entry of this.#requests.table.allHeld()) {
        if (entry.phase.over === undefined) this.#requests.reschedule(entry, entry.deadline);
        else this.#requests.fail(entry, failures.anotherConnection);
      }
      return true;
    }
    if (availability.type === "hold") this.#boundHeld(now);
    else if (availability.type === "down") this.failHeld(failures.unavailable(availability, now));
    return false;
  }

  /** Stops writing to a connection that is lost or closing, even if the session has not reported that yet. */
  disconnect(connection: number, now: number): void {
    if (this.#availability.type !== "ready" || this.#availability.connection !== connection) return;
    this.#availability = { type: "hold" };
    this.#boundHeld(now);
  }

  /** Held messages go out on the next connection, and not on this one before it is closed. */
  renew(connection: number, now: number, detail: string): void {
    this.#effects.push({ type: "renew", detail });
    this.disconnect(connection, now);
  }

  /** @param owner fails only the messages of this owner */
  failHeld(failure: Failure, owner?: Owner): void {
    const { table } = this.#requests;
    const held = owner === undefined ? table.allHeld() : [...table.held[owner]];
    for (const entry of held) this.#requests.fail(entry, failure);
  }

  /** Hands over every message that can be sent now. */
  flush(now: number): void {
    this.#pacedUntil = undefined;
    if (this.#availability.type !== "ready") return;
    const { connection } = this.#availability;
    const { correlation } = this.#requests;
    let isBlocked = false;
    for (const entry of this.#inTurns()) {
      if (isBlocked && !entry.unanswered) continue;
      if (!correlation.takes(entry.expectsReply, entry.unanswered)) {
        if (correlation.needsRenewal) {
          this.renew(connection, now, UNCLAIMED);
          break;
        }
        // A message that nothing answers need not wait for a reply.
        isBlocked = true;
        continue;
      }
      if (this.#pace && !this.#takeTurn(this.#pace.limit, this.#pace.reserved, now)) break;
      this.#turn = other(entry.request.owner);
      this.#write(entry, connection, now);
    }
  }

  /** Counts a frame that did not come from this queue, if `limits.pace` counts those. */
  countOwnFrame(now: number): void {
    if (this.#pace?.settings.counts === "all") this.#pace.limit.take(now);
  }

  /** The held messages: a caller does not wait behind all renewals of subscriptions, nor they behind all callers. */
  #inTurns(): Iterable<HeldEntry> {
    const { caller, subscriptions } = this.#requests.table.held;
    if (subscriptions.size === 0) return caller;
    return caller.size === 0 ? subscriptions : this.#alternate({ caller, subscriptions });
  }

  *#alternate({ caller, subscriptions }: RequestTable["held"]): Generator<HeldEntry> {
    const rest = { caller: caller[Symbol.iterator](), subscriptions: subscriptions[Symbol.iterator]() };
    for (;;) {
      const preferred = rest[this.#turn].next();
      const { value } = preferred.done ? rest[other(this.#turn)].next() : preferred;
      if (!value) return;
      yield value;
    }
  }

  /** True if messages go out on this connection now. */
  isOn(connection: number): boolean {
    return this.#availability.type === "ready" && this.#availability.connection === connection;
  }

  /** Held messages wait for the next connection no longer than HOLD_MS, and not at all if it must be this one. */
  #boundHeld(now: number): void {
    for (const entry of this.#requests.table.allHeld()) {
      if (entry.phase.over !== undefined) {
        this.#requests.fail(entry, failures.anotherConnection);
        continue;
      }
      this.#requests.reschedule(entry, Math.min(entry.dueAt, now + HOLD_MS));
    }
  }

  #takeTurn(limit: RateLimit, reserved: number, now: number): boolean {
    const at = limit.at(reserved, now);
    if (at > now) this.#pacedUntil = at;
    else limit.take(now);
    return at <= now;
  }

  /**
   * Draws the id only now if ids increase, encodes the frame only now if that needs the id or the connection, and
   * completes it. The protocol may still refuse the message, or a value may be missing.
   */
  #write(entry: HeldEntry, connection: number, now: number): void {
    const { message, add } = entry.phase;
    let wire = entry.wire;
    let frame: Body;
    try {
      if (typeof message === "object" && "encode" in message) {
        if (message.drawsId) wire = this.#requests.correlation.draw();
        frame = message.encode(typeof wire === "number" ? wire : 0, connection);
      } else frame = message;
      if (add) frame = add(frame);
    } catch (error) {
      this.#requests.forget(entry);
      this.#requests.refuse(entry.request, entry.index, failures.unsendable(error, entry.own));
      return;
    }
    this.#handOver(entry, wire, frame, connection, now);
  }

  #handOver(held: HeldEntry, wire: WireId | undefined, frame: Body, connection: number, now: number): void {
    const order = this.#delivery.next();
    const phase: SentPhase = {
      type: "sent",
      connection,
      order,
      at: now,
      heard: this.#heard.count,
      acknowledged: false,
      isCut: false,
      met: 0,
    };
    const entry = this.#requests.table.send(held, wire, phase);
    this.#effects.push({ type: "write", entry, frame });
    if (entry.subscribes) this.#requests.beginStream(entry);
    this.#requests.correlation.handedOver(entry, now);
  }
}

function other(owner: Owner): Owner {
  return owner === "caller" ? "subscriptions" : "caller";
}

/** Our own frames do not wait: one message less leaves room for a ping or a heartbeat. */
function paceOf(settings: Pace, limit: RateLimit) {
  const reserved = settings.counts === "all" && settings.messages > 1 ? 1 : 0;
  return { settings, limit, reserved };
}
