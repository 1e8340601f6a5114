import type { LookupFunction } from "node:net";
import type { UpstreamSettings } from "../../config/schema.ts";
import { type Disconnect, describeDisconnect } from "../../core/connection/disconnect.ts";
import type { Rung } from "../../core/connection/liveness.ts";
import { newPair, type Pair, type PairEffect, type PairInput, turn } from "../../core/connection/rotation.ts";
import { type Availability, availability, listens, type Session } from "../../core/connection/session.ts";
import type { SentEntry } from "../../core/exchange/request-table.ts";
import type { Body } from "../../protocols/protocol.ts";
import type { CloseCounts, UpstreamDetails, UpstreamState } from "../contract.ts";
import { PeerActivity, provenBy } from "./peer-activity.ts";
import { PhaseTimer } from "./phase-timer.ts";
import { Sockets } from "./sockets.ts";

/** What a link tells. */
export interface ConnectionEvents {
  /** Before what comes with it: whoever is told of that, and then looks, must not find the state of before. */
  state(state: UpstreamState): void;
  /** What can be sent now, and where. Comes after all that came with it. */
  availability(link: Availability, now: number): void;
  /** No reply comes over this connection any more. */
  lost(connection: number, why: Disconnect, now: number): void;
  /** There is no connection, and what the upstream would say meanwhile nobody hears. */
  away(why: string): void;
  /** Another connection has taken the place of the one that there was. */
  rotated(): void;
  /** A pong showed that the peer has the first `messages` of what this connection was handed. */
  proven(connection: number, messages: number): void;
  /** It belongs to no request, for none could have been sent yet. */
  message(frame: Body): void;
  frame(connection: number, frame: Body, now: number): void;
  /** The last connection is gone, after `close`. */
  closed(close: CloseCounts): void;
}

interface ConnectionEnvironment {
  /** Milliseconds of a monotonic clock. */
  now(): number;
  readonly lookup?: LookupFunction | undefined;
}

/**
 * The way to an upstream: carries out what the session decides, on real sockets and timers, and tells it what happened.
 * Nothing is decided here.
 */
export class Connection {
  readonly #env: ConnectionEnvironment;
  readonly #events: ConnectionEvents;
  readonly #sockets: Sockets;
  readonly #activity = new PeerActivity();
  #pair: Pair = newPair;
  /** The one that speaks for the current session, and the successor's. They change places with their sessions. */
  #timer = this.#newTimer();
  #nextTimer = this.#newTimer();
  #lastError: string | undefined;
  #foundDeadBy: Rung | undefined;
  #close: CloseCounts | undefined;

  constructor(name: string, settings: UpstreamSettings, env: ConnectionEnvironment, events: ConnectionEvents) {
    this.#env = env;
    this.#events = events;
    this.#sockets = new Sockets(name, settings, env.lookup);
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

  /** Leaves this connection once there is a new one. */
  rotate(connection: number): void {
    this.#advance({ type: "rotate", connection });
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
    this.#sockets.closeOthers(this.#session.connection, withinMs);
  }

  /** `entry`: whose message it is. @returns false when it did not leave */
  write(connection: number, frame: Body, entry?: SentEntry): boolean {
    const taken = this.#sockets.write(connection, frame);
    if (taken && entry) this.#activity.wrote(entry);
    return taken;
  }

  /** Bytes handed over that the operating system has not taken yet. */
  buffered(connection = this.#session.connection): number {
    return this.#sockets.buffered(connection);
  }

  /** Closes what was left for its successor and owes nothing any more. */
  closeRetired(owes: (connection: number) => boolean): void {
    if (this.#sockets.anyRetired) this.#sockets.closeRetired(owes);
  }

  details(now: number): Pick<UpstreamDetails, "lastFrameAgeMs" | "roundTripMs" | "bufferedBytes"> {
    const { roundTripMs } = this.#activity;
    return { lastFrameAgeMs: this.#activity.frameAgeMs(now), roundTripMs, bufferedBytes: this.buffered() };
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
    const now = this.#env.now();
    const context = {
      now,
      random: Math.random(),
      proof: this.#activity.proof(before.connection),
      heardAt: this.#activity.heardAt,
      settings: this.#sockets.filledIn,
    };
    const { pair, effects } = turn(this.#pair, input, context);
    this.#pair = pair;
    for (const effect of effects) if (effect.type === "lost") this.#blame(effect.why);
    const session = pair.current;
    const moved = session.at.phase !== before.at.phase || session.connection !== before.connection;
    if (moved) this.#events.state(this.#state(now));
    for (const effect of effects) this.#perform(effect, now);
    if (moved) this.#events.availability(availability(session), now);
  }

  #blame(why: Disconnect): void {
    this.#lastError = describeDisconnect(why);
    if (why.reason === "silent") this.#foundDeadBy = why.rung;
  }

  #perform(effect: PairEffect, now: number): void {
    switch (effect.type) {
      case "connect":
        this.#connect(effect.connection, effect.withinMs);
        break;
      case "send":
        this.#sockets.write(effect.connection, effect.frame);
        break;
      case "ping":
        this.#activity.pinged(now);
        this.#sockets.ping(effect.connection, effect.proof);
        break;
      case "close":
        this.#sockets.close(effect.connection, effect.code, effect.withinMs);
        break;
      case "destroy":
        this.#sockets.destroy(effect.connection);
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
        this.#retire(effect.connection, effect.withinMs);
        break;
      case "notRotated":
        this.#lastError = `${describeDisconnect(effect.why)}; the connection that there is stays`;
        this.#events.state(this.#state(now));
        break;
      case "lost":
        this.#events.away(describeDisconnect(effect.why));
        this.#events.lost(effect.connection, effect.why, now);
        break;
      case "proven":
        this.#events.proven(effect.connection, this.#activity.ponged(effect.proof, now));
        break;
      case "message":
        this.#events.message(effect.frame);
        break;
      case "frame":
        this.#events.frame(effect.connection, effect.frame, now);
    }
  }

  #retire(connection: number, withinMs: number): void {
    this.#sockets.retire(connection, withinMs, this.#activity.proof(connection), () => this.#letGo(connection));
    this.#events.rotated();
  }

  /** A connection that was left for its successor has had its time: what it still owes does not come. */
  #letGo(connection: number): void {
    const detail = "it was rotated out, and the reply did not come in time (reconnect.rotate.drain)";
    this.#events.lost(connection, { reason: "renewed", detail }, this.#env.now());
  }

  #connect(connection: number, withinMs: number): void {
    this.#sockets.open(connection, withinMs, {
      opened: () => this.#advance({ type: "opened", connection }),
      frame: (frame) => this.#frame(connection, frame),
      pong: (proof) => this.#pong(connection, proof),
      pinged: () => this.#heard(connection),
      dropped: (drop) => this.#dropped(connection, drop),
    });
  }

  #frame(connection: number, frame: Body): void {
    const now = this.#heard(connection);
    this.#activity.frame(now);
    const { current, next } = this.#pair;
    if (listens(current, connection) || (next && listens(next, connection)))
      this.#advance({ type: "frame", connection, frame });
    else this.#events.frame(connection, frame, now);
  }

  #pong(connection: number, proof: string): void {
    if (!this.#sockets.isLastProof(connection, proof)) this.#advance({ type: "pong", connection, proof });
    else this.#events.proven(connection, provenBy(proof));
  }

  #heard(connection: number): number {
    const now = this.#env.now();
    if (connection === this.#session.connection) this.#activity.heard(now);
    return now;
  }

  #dropped(connection: number, drop: Disconnect): void {
    const close = this.#sockets.gone(connection, drop);
    if (this.#close) this.#close = closedBoth(this.#close, close, connection === this.#session.connection);
    this.#advance({ type: "dropped", connection, drop });
    if (connection !== this.#session.connection && !this.#isClosing) this.#lostOther(connection, drop);
    this.#tellClosed();
  }

  /** What another connection than the current one still owes, to who has timed out as well, does not come any more. */
  #lostOther(connection: number, drop: Disconnect): void {
    const why: Disconnect = this.#sockets.isRetired(connection)
      ? drop
      : { reason: "renewed", detail: "it was rotated out" };
    this.#events.lost(connection, why, this.#env.now());
  }

  /** What is pending when we close for good is not lost, but cancelled: by the step after that. */
  get #isClosing(): boolean {
    return this.#session.at.phase === "closing" || this.#session.at.phase === "closed";
  }

  #tellClosed(): void {
    if (!this.#close || this.#sockets.size > 0) return;
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
