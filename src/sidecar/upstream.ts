import type { LookupFunction } from "node:net";
import type { UpstreamSettings } from "../config/schema.ts";
import type { Call } from "../core/admission.ts";
import { type Drop, describeDrop } from "../core/drop.ts";
import type { ExchangeEffect } from "../core/effects.ts";
import { Exchange } from "../core/exchange.ts";
import { matchesFrame } from "../core/greeting.ts";
import type { Rung } from "../core/liveness.ts";
import { newPair, type Pair, type PairEffect, type PairInput, turn } from "../core/rotation.ts";
import { availability, listens, type Session } from "../core/session.ts";
import type { Body, Protocol } from "../protocols/protocol.ts";
import { Alarm } from "./alarm.ts";
import { Connections } from "./connections.ts";
import type { CloseCounts, FromThread, Life, ToThread, UpstreamDetails, UpstreamState } from "./messages.ts";
import { PhaseTimer } from "./phase-timer.ts";
import { Signs } from "./signs.ts";
import { Unasked } from "./unasked.ts";

/** What an upstream needs from the thread that it lives on. */
export interface Surroundings {
  /** Milliseconds of a monotonic clock. */
  now(): number;
  /** `alone`: nothing else is to be expected before the turn is over. */
  post(message: FromThread, alone?: boolean): void;
  readonly lookup?: LookupFunction | undefined;
}

type Command = Exclude<ToThread, { type: "open" | "beat" | "end" }>;

/**
 * One upstream on the sidecar's thread: carries out what the session and the exchange decide, on real sockets and
 * timers, and tells them what happened. Nothing is decided here.
 */
export class Upstream {
  readonly #name: string;
  readonly #settings: UpstreamSettings;
  readonly #around: Surroundings;
  readonly #exchange: Exchange;
  readonly #alarm: Alarm;
  readonly #unasked: Unasked;
  readonly #connections: Connections;
  readonly #signs = new Signs();
  #pair: Pair = newPair;
  /** The one that speaks for the current session, and the successor's. They change places with their sessions. */
  #timer = this.#newTimer();
  #nextTimer = this.#newTimer();
  #lastError: string | undefined;
  #foundDeadBy: Rung | undefined;
  /** Somebody waits for `drained`. */
  #draining = false;
  #close: CloseCounts | undefined;

  constructor(name: string, settings: UpstreamSettings, protocol: Protocol, around: Surroundings, life: Life) {
    this.#name = name;
    this.#settings = settings;
    this.#around = around;
    this.#exchange = new Exchange(protocol, settings.limits);
    this.#alarm = new Alarm(around.now, () => this.#expire());
    this.#connections = new Connections(name, settings, around.lookup);
    const call = this.#call.bind(this);
    this.#unasked = new Unasked(name, settings, protocol.accepts, life, { ...around, call });
  }

  start(): void {
    this.#advance({ type: "start" });
  }

  handle(command: Command): void {
    const now = this.#around.now();
    switch (command.type) {
      case "request":
        this.#call(command, now);
        break;
      case "abandon":
        this.#carryOut(this.#exchange.abandon(command.seq, now));
        break;
      case "taken":
        this.#exchange.taken(command.seq, command.weight);
        break;
      case "subscribe":
        this.#unasked.subscribe(command);
        break;
      case "unsubscribe":
        this.#unasked.unsubscribe(command.name);
        break;
      case "read":
        this.#unasked.read(command);
        break;
      case "unread":
        this.#unasked.unread(command.seq);
        break;
      case "inspect":
        this.#post({ type: "inspected", upstream: this.#name, seq: command.seq, details: this.#details(now) });
        break;
      case "drain":
        this.#draining = true;
        this.#carryOut(this.#exchange.drain(now));
        this.#tellDrained();
        break;
      case "stop":
        this.#unasked.stop();
        break;
      case "close":
        this.#close ??= { code: null, by: null, forced: false };
        this.#advance({ type: "close", withinMs: command.withinMs });
        this.#connections.closeOthers(this.#session.epoch, command.withinMs);
        this.#tellClosed();
        break;
      case "cancel": {
        const { effects, counts } = this.#exchange.cancel();
        this.#carryOut(effects);
        this.#advance({ type: "close", withinMs: 0 });
        this.#connections.closeOthers(this.#session.epoch, 0);
        this.#post({ type: "cancelled", upstream: this.#name, counts, unkept: this.#unasked.unkept });
      }
    }
    this.#setAlarm();
  }

  // The session.

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
    // Before what ends with it: whoever is told of that, and then looks, must not find the state of before.
    if (moved) this.#post({ type: "state", upstream: this.#name, state: this.#state(now) });
    for (const effect of effects) this.#perform(effect, now);
    if (!moved) return;
    if (session.at.phase === "ready") this.#unasked.back();
    this.#carryOut(this.#exchange.link(availability(session), now));
    if (session.at.phase === "ready") this.#unasked.connected();
    this.#setAlarm();
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
        this.#connections.retire(effect.epoch, effect.withinMs, () => this.#letGo(effect.epoch));
        this.#unasked.rotated();
        break;
      case "notRotated":
        this.#lastError = `${describeDrop(effect.why)}; the connection that there is stays`;
        this.#post({ type: "state", upstream: this.#name, state: this.#state(now) });
        break;
      case "lost":
        this.#unasked.lost(describeDrop(effect.why));
        this.#carryOut(this.#exchange.lost(effect.epoch, effect.why, now));
        break;
      case "proven":
        this.#carryOut(this.#exchange.proven(effect.epoch, this.#signs.ponged(effect.proof, now)));
        break;
      case "message":
        this.#exchange.counters.messages++;
        this.#unasked.message(effect.frame);
        break;
      case "frame":
        this.#exchangeFrame(effect.epoch, effect.frame, now);
    }
  }

  /** A connection that was left for its successor has had its time: what it still owes does not come. */
  #letGo(epoch: number): void {
    const detail = "it was rotated out, and the reply did not come in time (reconnect.rotate.drain)";
    this.#carryOut(this.#exchange.lost(epoch, { reason: "renewed", detail }, this.#around.now()));
    this.#setAlarm();
  }

  #connect(epoch: number, withinMs: number): void {
    this.#connections.open(epoch, withinMs, {
      opened: () => this.#advance({ type: "opened", epoch }),
      frame: (frame) => this.#frame(epoch, frame),
      pong: (proof) => this.#advance({ type: "pong", epoch, proof }),
      pinged: () => this.#heard(epoch),
      dropped: (drop) => this.#dropped(epoch, drop),
    });
  }

  #frame(epoch: number, frame: Body): void {
    const now = this.#heard(epoch);
    this.#signs.frame(now);
    const { current, next } = this.#pair;
    if (listens(current, epoch) || (next && listens(next, epoch))) this.#advance({ type: "frame", epoch, frame });
    else this.#exchangeFrame(epoch, frame, now);
    this.#setAlarm();
  }

  #exchangeFrame(epoch: number, frame: Body, now: number): void {
    const effects = this.#exchange.frame(epoch, frame, now, this.#connections.buffered(epoch));
    this.#carryOut(effects);
    const goingAway = this.#settings.reconnect.rotate?.on;
    if (!goingAway || !effects.some(({ type }) => type === "message")) return;
    if (matchesFrame(frame, goingAway.match)) this.#advance({ type: "rotate", epoch });
  }

  #heard(epoch: number): number {
    const now = this.#around.now();
    if (epoch === this.#session.epoch) this.#signs.heard(now);
    return now;
  }

  #dropped(epoch: number, drop: Drop): void {
    const close = this.#connections.gone(epoch, drop);
    if (this.#close && epoch === this.#session.epoch) this.#close = close;
    this.#advance({ type: "dropped", epoch, drop });
    if (this.#connections.isRetired(epoch)) this.#carryOut(this.#exchange.lost(epoch, drop, this.#around.now()));
    this.#tellClosed();
    this.#setAlarm();
  }

  // The exchange.

  #call(call: Call, now: number): void {
    this.#carryOut(this.#exchange.call(call, now, this.#connections.buffered(this.#session.epoch)));
  }

  #carryOut(effects: readonly ExchangeEffect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case "write": {
          const taken = this.#connections.write(effect.epoch, effect.frame);
          if (taken) this.#signs.wrote(effect.entry);
          if (taken && effect.entry.expectsReply) break;
          this.#carryOut(this.#exchange.written(effect.entry, taken, this.#around.now()));
          break;
        }
        case "settle": {
          const { seq, outcome } = effect;
          const alone = this.#exchange.inFlight === 0;
          if (seq < 0) this.#unasked.settled(seq, outcome);
          else this.#post({ type: "settled", upstream: this.#name, seq, outcome }, alone);
          break;
        }
        case "begun":
          this.#post({ type: "begun", upstream: this.#name, seq: effect.seq });
          break;
        case "part":
          this.#post({ type: "part", upstream: this.#name, seq: effect.seq, body: effect.body });
          break;
        case "late":
          // Nobody waits any longer for what the thread asked by itself.
          if (effect.seq < 0) break;
          this.#post({ type: "late", upstream: this.#name, seq: effect.seq, outcome: effect.outcome });
          break;
        case "answer":
          this.#connections.write(effect.epoch, effect.frame);
          break;
        case "message":
          this.#unasked.message(effect.frame, effect.json);
          break;
        case "probe":
          this.#advance({ type: "probe" });
          break;
        case "renew":
          this.#advance({ type: "renew", detail: effect.detail });
      }
    }
    if (this.#connections.anyRetired) this.#connections.closeRetired((epoch) => this.#exchange.awaits(epoch));
    if (this.#draining) this.#tellDrained();
  }

  #expire(): void {
    const now = this.#around.now();
    this.#carryOut(this.#exchange.expire(now));
    this.#unasked.expire(now);
    this.#setAlarm();
  }

  /** For whichever comes first: an alarm is never set later. */
  #setAlarm(): void {
    this.#alarm.set(this.#exchange.nextDeadline);
    this.#alarm.set(this.#unasked.nextDeadline);
  }

  // What the host is told.

  #post(message: FromThread, alone = false): void {
    this.#around.post(message, alone);
  }

  #tellDrained(): void {
    if (!this.#draining || this.#exchange.onTheWire > 0) return;
    this.#draining = false;
    this.#post({ type: "drained", upstream: this.#name });
  }

  #tellClosed(): void {
    if (!this.#close || this.#connections.size > 0) return;
    this.#post({ type: "closed", upstream: this.#name, close: this.#close });
    this.#close = undefined;
  }

  #state(now: number): UpstreamState {
    const { at, failures } = this.#session;
    const retryInMs = "until" in at ? Math.max(0, Math.round(at.until - now)) : undefined;
    const { phase } = at;
    return { phase, attempts: failures, lastError: this.#lastError, foundDeadBy: this.#foundDeadBy, retryInMs };
  }

  #details(now: number): UpstreamDetails {
    return {
      inFlight: this.#exchange.inFlight,
      lastFrameAgeMs: this.#signs.frameAgeMs(now),
      roundTripMs: this.#signs.roundTripMs,
      bufferedBytes: this.#connections.buffered(this.#session.epoch),
      kept: this.#unasked.kept,
      counters: { ...this.#exchange.counters },
    };
  }
}
