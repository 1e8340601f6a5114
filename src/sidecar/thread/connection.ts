import type { LookupFunction } from "node:net";
import type { UpstreamSettings } from "../../config/schema.ts";
import { type Drop, describeDrop } from "../../core/connection/disconnect.ts";
import type { Rung } from "../../core/connection/liveness.ts";
import { newPair, type Pair, type PairEffect, type PairInput, turn } from "../../core/connection/rotation.ts";
import { type Availability, availability, listens, type Session } from "../../core/connection/session.ts";
import type { Entry } from "../../core/exchange/request-table.ts";
import type { Body } from "../../protocols/protocol.ts";
import type { CloseCounts, UpstreamDetails, UpstreamState } from "../contract.ts";
import { provenBy, Signs } from "./peer-activity.ts";
import { PhaseTimer } from "./phase-timer.ts";
import { Connections } from "./sockets.ts";

/** What a link tells. */
export interface LinkEvents {
  /** Before what comes with it: whoever is told of that, and then looks, must not find the state of before. */
  state(state: UpstreamState): void;
  /** What can be sent now, and where. Comes after all that came with it. */
  moved(link: Availability, now: number): void;
  /** No reply comes over this connection any more. */
  lost(epoch: number, why: Drop, now: number): void;
  /** There is no connection, and what the upstream would say meanwhile nobody hears. */
  away(why: string): void;
  /** Another connection has taken the place of the one that there was. */
  rotated(): void;
  /** A pong showed that the peer has the first `messages` of what this connection was handed. */
  proven(epoch: number, messages: number): void;
  /** It belongs to no request, for none could have been sent yet. */
  message(frame: Body): void;
  frame(epoch: number, frame: Body, now: number): void;
  /** The last connection is gone, after `close`. */
  closed(close: CloseCounts): void;
}

interface Around {
  /** Milliseconds of a monotonic clock. */
  now(): number;
  readonly lookup?: LookupFunction | undefined;
}

/**
 * The way to an upstream: carries out what the session decides, on real sockets and timers, and tells it what happened.
 * Nothing is decided here.
 */
export class Link {
  readonly #around: Around;
  readonly #events: LinkEvents;
  readonly #connections: Connections;
  readonly #signs = new Signs();
  #pair: Pair = newPair;
  /** The one that speaks for the current session, and the successor's. They change places with their sessions. */
  #timer = this.#newTimer();
  #nextTimer = this.#newTimer();
  #lastError: string | undefined;
  #foundDeadBy: Rung | undefined;
  #close: CloseCounts | undefined;

  constructor(name: string, settings: UpstreamSettings, around: Around, events: LinkEvents) {
    this.#around = around;
    this.#events = events;
    this.#connections = new Connections(name, settings, around.lookup);
  }

  start(): void {
    this.#advance({ type: "start" });
  }

  /** Asks the peer for a sign of life. */
  probe(): void {
    this.#advance({ type: "probe" });
  }

  /** Leaves the connection for a new one at once. */
  renew(detail: string): void {
    this.#advance({ type: "renew", detail });
  }

  /** Leaves the connection of this epoch once there is a new one. */
  rotate(epoch: number): void {
    this.#advance({ type: "rotate", epoch });
  }

  /** `closed` will be told. */
  close(withinMs: number): void {
    this.#close ??= { code: null, by: null, forced: false };
    this.#closeAll(withinMs);
    this.#tellClosed();
  }

  destroy(): void {
    this.#closeAll(0);
  }

  #closeAll(withinMs: number): void {
    this.#advance({ type: "close", withinMs });
    this.#connections.closeOthers(this.#session.epoch, withinMs);
  }

  /** `entry`: whose message it is. @returns false when it did not leave */
  write(epoch: number, frame: Body, entry?: Entry): boolean {
    const taken = this.#connections.write(epoch, frame);
    if (taken && entry) this.#signs.wrote(entry);
    return taken;
  }

  /** Bytes handed over that the operating system has not taken yet. */
  buffered(epoch = this.#session.epoch): number {
    return this.#connections.buffered(epoch);
  }

  /** Closes what was left for its successor and owes nothing any more. */
  closeRetired(owes: (epoch: number) => boolean): void {
    if (this.#connections.anyRetired) this.#connections.closeRetired(owes);
  }

  details(now: number): Pick<UpstreamDetails, "lastFrameAgeMs" | "roundTripMs" | "bufferedBytes"> {
    const { roundTripMs } = this.#signs;
    return { lastFrameAgeMs: this.#signs.frameAgeMs(now), roundTripMs, bufferedBytes: this.buffered() };
  }

  get #session(): Session {
    return this.#pair.current;
  }

  #newTimer(): PhaseTimer {
    const timer: PhaseTimer = new PhaseTimer(() =>
      this.#advance({ type: timer === this.#timer ? "timer" : "nextTimer" }),
    );
    return timer;
  }

  #advance(input: PairInput): void {
    const before = this.#session;
    const now = this.#around.now();
    const context = {
      now,
      random: Math.random(),
      proof: this.#signs.proof(before.epoch),
      heardAt: this.#signs.heardAt,
      settings: this.#connections.filledIn,
    };
    const { pair, effects } = turn(this.#pair, input, context);
    this.#pair = pair;
    for (const effect of effects) if (effect.type === "lost") this.#blame(effect.why);
    const session = pair.current;
    const moved = session.at.phase !== before.at.phase || session.epoch !== before.epoch;
    if (moved) this.#events.state(this.#state(now));
    for (const effect of effects) this.#perform(effect, now);
    if (moved) this.#events.moved(availability(session), now);
  }

  #blame(why: Drop): void {
    this.#lastError = describeDrop(why);
    if (why.reason === "silent") this.#foundDeadBy = why.rung;
  }

  #perform(effect: PairEffect, now: number): void {
    switch (effect.type) {
      case "connect":
        this.#connect(effect.epoch, effect.withinMs);
        break;
      case "send":
        this.#connections.write(effect.epoch, effect.frame);
        break;
      case "ping":
        this.#signs.pinged(now);
        this.#connections.ping(effect.epoch, effect.proof);
        break;
      case "close":
        this.#connections.close(effect.epoch, effect.code, effect.withinMs);
        break;
      case "destroy":
        this.#connections.destroy(effect.epoch);
        break;
      case "timer":
        this.#timer.set(effect.ms, effect.blames);
        break;
      case "nextTimer":
        this.#nextTimer.set(effect.ms, effect.blames);
        break;
      case "promote":
        [this.#timer, this.#nextTimer] = [this.#nextTimer, this.#timer];
        this.#nextTimer.set(undefined);
        break;
      case "retire":
        this.#retire(effect.epoch, effect.withinMs);
        break;
      case "notRotated":
        this.#lastError = `${describeDrop(effect.why)}; the connection that there is stays`;
        this.#events.state(this.#state(now));
        break;
      case "lost":
        this.#events.away(describeDrop(effect.why));
        this.#events.lost(effect.epoch, effect.why, now);
        break;
      case "proven":
        this.#events.proven(effect.epoch, this.#signs.ponged(effect.proof, now));
        break;
      case "message":
        this.#events.message(effect.frame);
        break;
      case "frame":
        this.#events.frame(effect.epoch, effect.frame, now);
    }
  }

  #retire(epoch: number, withinMs: number): void {
    this.#connections.retire(epoch, withinMs, this.#signs.proof(epoch), () => this.#letGo(epoch));
    this.#events.rotated();
  }

  /** A connection that was left for its successor has had its time: what it still owes does not come. */
  #letGo(epoch: number): void {
    const detail = "it was rotated out, and the reply did not come in time (reconnect.rotate.drain)";
    this.#events.lost(epoch, { reason: "renewed", detail }, this.#around.now());
  }

  #connect(epoch: number, withinMs: number): void {
    this.#connections.open(epoch, withinMs, {
      opened: () => this.#advance({ type: "opened", epoch }),
      frame: (frame) => this.#frame(epoch, frame),
      pong: (proof) => this.#pong(epoch, proof),
      pinged: () => this.#heard(epoch),
      dropped: (drop) => this.#dropped(epoch, drop),
    });
  }

  #frame(epoch: number, frame: Body): void {
    const now = this.#heard(epoch);
    this.#signs.frame(now);
    const { current, next } = this.#pair;
    if (listens(current, epoch) || (next && listens(next, epoch))) this.#advance({ type: "frame", epoch, frame });
    else this.#events.frame(epoch, frame, now);
  }

  #pong(epoch: number, proof: string): void {
    if (!this.#connections.isLastProof(epoch, proof)) this.#advance({ type: "pong", epoch, proof });
    else this.#events.proven(epoch, provenBy(proof));
  }

  #heard(epoch: number): number {
    const now = this.#around.now();
    if (epoch === this.#session.epoch) this.#signs.heard(now);
    return now;
  }

  #dropped(epoch: number, drop: Drop): void {
    const close = this.#connections.gone(epoch, drop);
    if (this.#close) this.#close = closedBoth(this.#close, close, epoch === this.#session.epoch);
    this.#advance({ type: "dropped", epoch, drop });
    if (epoch !== this.#session.epoch && !this.#isClosing) this.#lostOther(epoch, drop);
    this.#tellClosed();
  }

  /** What another connection than the current one still owes, to who has timed out as well, does not come any more. */
  #lostOther(epoch: number, drop: Drop): void {
    const why: Drop = this.#connections.isRetired(epoch) ? drop : { reason: "renewed", detail: "it was rotated out" };
    this.#events.lost(epoch, why, this.#around.now());
  }

  /** What is pending when we close for good is not lost, but cancelled: by the step after that. */
  get #isClosing(): boolean {
    return this.#session.at.phase === "closing" || this.#session.at.phase === "closed";
  }

  #tellClosed(): void {
    if (!this.#close || this.#connections.size > 0) return;
    this.#events.closed(this.#close);
    this.#close = undefined;
  }

  #state(now: number): UpstreamState {
    const { at, failures } = this.#session;
    const retryInMs = "until" in at ? Math.max(0, Math.round(at.until - now)) : undefined;
    const { phase } = at;
    return { phase, attempts: failures, lastError: this.#lastError, foundDeadBy: this.#foundDeadBy, retryInMs };
  }
}

/** How it ended is what the current connection says; a single one that had to be broken makes all of it forced. */
function closedBoth(before: CloseCounts, now: CloseCounts, isCurrent: boolean): CloseCounts {
  return { ...(isCurrent ? now : before), forced: before.forced || now.forced };
}
