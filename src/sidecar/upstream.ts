import type { LookupFunction } from "node:net";
import type { UpstreamSettings } from "../config/schema.ts";
import { type Drop, describeDrop } from "../core/drop.ts";
import { Exchange, type ExchangeEffect } from "../core/exchange.ts";
import { matchesFrame } from "../core/greeting.ts";
import type { MessageKind } from "../core/journal.ts";
import type { Rung } from "../core/liveness.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Entry } from "../core/pending.ts";
import { newPair, type Pair, type PairEffect, type PairInput, turn } from "../core/rotation.ts";
import { availability, listens, RENEW_CLOSE_MS, type Session } from "../core/session.ts";
import { type SubscriptionEffect, Subscriptions } from "../core/subscriptions.ts";
import { isJson } from "../protocols/json-message.ts";
import type { Body, Protocol } from "../protocols/protocol.ts";
import { Alarm } from "./alarm.ts";
import { openLate } from "./attempt.ts";
import { Journals, MAIN } from "./journals.ts";
import { lateSettings, type WorkOut } from "./late-values.ts";
import type { CloseCounts, FromThread, Life, ToThread, UpstreamDetails, UpstreamState } from "./messages.ts";
import { PhaseTimer } from "./phase-timer.ts";
import { openSocket, type Socket, type SocketEvents } from "./socket.ts";

/** What an upstream needs from the thread that it lives on. */
export interface Surroundings {
  /** Milliseconds of a monotonic clock. */
  now(): number;
  post(message: FromThread): void;
  readonly lookup?: LookupFunction | undefined;
}

/** The upstream has so long to agree to a subscription, in milliseconds. */
const SUBSCRIBE_WITHIN_MS = 10_000;

type Command = Exclude<ToThread, { type: "open" | "beat" | "end" }>;

/**
 * One upstream on the sidecar's thread: carries out what the session and the exchange decide, on real sockets and
 * timers, and tells them what happened. Nothing is decided here.
 */
export class Upstream {
  readonly #name: string;
  readonly #settings: UpstreamSettings;
  /** The settings with the values of the newest attempt. */
  #filledIn: UpstreamSettings;
  readonly #workOut: WorkOut | undefined;
  readonly #around: Surroundings;
  readonly #exchange: Exchange;
  readonly #alarm: Alarm;
  readonly #journals: Journals;
  readonly #accepts: Protocol["accepts"];
  readonly #subscriptions = new Subscriptions();
  /** Every socket that is not gone yet. There may be two while one makes way for its successor. */
  readonly #sockets = new Map<number, Socket>();
  /** Connections that were left for their successor and still owe replies, and what ends that in time. */
  readonly #retired = new Map<number, NodeJS.Timeout>();
  #pair: Pair = newPair;
  /** The one that speaks for the current session, and the successor's. They change places with their sessions. */
  #timer = this.#newTimer();
  #nextTimer = this.#newTimer();
  #lastError: string | undefined;
  #foundDeadBy: Rung | undefined;
  #lastFrameAt: number | undefined;
  /** When the peer last said something of its own. */
  #heardAt = 0;
  /** The last message of a caller that a socket took: what a ping that is sent now would prove. */
  #lastWritten: Pick<Entry, "epoch" | "order"> = { epoch: 0, order: 0 };
  #pings = 0;
  #pingedAt = 0;
  #roundTripMs: number | undefined;
  /** Somebody waits for `drained`. */
  #draining = false;
  #close: CloseCounts | undefined;
  /** From the exit's first step on: how many messages came that nobody can read any more. */
  #unkept: number | undefined;

  constructor(name: string, settings: UpstreamSettings, protocol: Protocol, around: Surroundings, life: Life) {
    this.#name = name;
    this.#settings = settings;
    this.#filledIn = settings;
    this.#workOut = lateSettings(name, settings);
    this.#around = around;
    this.#exchange = new Exchange(protocol, settings.limits);
    this.#alarm = new Alarm(around.now, () => this.#expire());
    this.#journals = new Journals(name, settings.messages, around.post);
    this.#journals.open(MAIN, life);
    this.#accepts = protocol.accepts;
  }

  start(): void {
    this.#advance({ type: "start" });
  }

  handle(command: Command): void {
    const now = this.#around.now();
    switch (command.type) {
      case "request":
        this.#carryOut(this.#exchange.call(command, now, this.#socket?.buffered ?? 0));
        break;
      case "abandon":
        this.#carryOut(this.#exchange.abandon(command.seq, now));
        break;
      case "taken":
        this.#exchange.taken(command.seq, command.weight);
        break;
      case "subscribe":
        this.#journals.open(command.name, command.life);
        this.#standBy(this.#subscriptions.add(command.name, command.settings));
        break;
      case "unsubscribe":
        this.#standBy(this.#subscriptions.remove(command.name));
        this.#journals.remove(command.name);
        break;
      case "read":
        this.#journals.read(command);
        break;
      case "unread":
        this.#journals.unread(command.seq);
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
        this.#unkept ??= 0;
        break;
      case "close":
        this.#close ??= { code: null, by: null, forced: false };
        this.#advance({ type: "close", withinMs: command.withinMs });
        this.#closeOthers(command.withinMs);
        this.#tellClosed();
        break;
      case "cancel": {
        const { effects, counts } = this.#exchange.cancel();
        this.#carryOut(effects);
        this.#advance({ type: "close", withinMs: 0 });
        this.#closeOthers(0);
        this.#post({ type: "cancelled", upstream: this.#name, counts, unkept: this.#unkept ?? 0 });
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
    const { epoch, order } = this.#lastWritten;
    const proof = `${this.#pings + 1}.${epoch === before.epoch ? order : 0}`;
    const heardAt = this.#heardAt;
    const context = { now, random: Math.random(), proof, heardAt, settings: this.#filledIn };
    const { pair, effects } = turn(this.#pair, input, context);
    this.#pair = pair;
    for (const effect of effects) this.#perform(effect, now);
    const session = pair.current;
    if (session.at.phase === before.at.phase && session.epoch === before.epoch) return;
    if (session.at.phase === "ready") this.#journals.back(MAIN);
    this.#carryOut(this.#exchange.link(availability(session), now));
    if (session.at.phase === "ready") this.#standBy(this.#subscriptions.connected());
    this.#post({ type: "state", upstream: this.#name, state: this.#state(now) });
  }

  #perform(effect: PairEffect, now: number): void {
    switch (effect.type) {
      case "connect":
        this.#connect(effect.epoch, effect.withinMs);
        break;
      case "send":
        this.#sockets.get(effect.epoch)?.write(effect.frame);
        break;
      case "ping":
        this.#pings++;
        this.#pingedAt = now;
        this.#sockets.get(effect.epoch)?.ping(effect.proof);
        break;
      case "close":
        this.#sockets.get(effect.epoch)?.close(effect.code, effect.withinMs);
        break;
      case "destroy":
        this.#sockets.get(effect.epoch)?.destroy();
        break;
      case "timer":
        setTimer(this.#timer, effect.ms, effect.blames);
        break;
      case "nextTimer":
        setTimer(this.#nextTimer, effect.ms, effect.blames);
        break;
      case "promote":
        [this.#timer, this.#nextTimer] = [this.#nextTimer, this.#timer];
        this.#nextTimer.set(undefined);
        break;
      case "retire":
        this.#retired.set(
          effect.epoch,
          setTimeout(() => this.#letGo(effect.epoch), effect.withinMs),
        );
        this.#journals.handedOver("the connection was rotated");
        this.#standBy(this.#subscriptions.lost());
        break;
      case "notRotated":
        this.#lastError = `${describeDrop(effect.why)}; the connection that there is stays`;
        this.#post({ type: "state", upstream: this.#name, state: this.#state(now) });
        break;
      case "lost":
        this.#lastError = describeDrop(effect.why);
        if (effect.why.reason === "silent") this.#foundDeadBy = effect.why.rung;
        this.#journals.away(this.#lastError);
        this.#standBy(this.#subscriptions.lost());
        this.#carryOut(this.#exchange.lost(effect.epoch, effect.why, now));
        break;
      case "proven":
        this.#roundTripMs = now - this.#pingedAt;
        this.#carryOut(this.#exchange.proven(effect.epoch, Number(effect.proof.split(".")[1])));
        break;
      case "message":
        this.#exchange.counters.messages++;
        this.#keep(effect.frame);
        break;
      case "frame":
        this.#exchangeFrame(effect.epoch, effect.frame, now);
    }
  }

  /** A connection that was left for its successor has had its time: what it still owes does not come. */
  #letGo(epoch: number): void {
    const detail = "it was rotated out, and the reply did not come in time (reconnect.rotate.drain)";
    this.#carryOut(this.#exchange.lost(epoch, { reason: "renewed", detail }, this.#around.now()));
    this.#closeRetired();
    this.#setAlarm();
  }

  /** Closes what was left for its successor and owes nothing any more. */
  #closeRetired(): void {
    for (const [epoch, timer] of this.#retired) {
      if (this.#exchange.awaits(epoch)) continue;
      clearTimeout(timer);
      this.#retired.delete(epoch);
      this.#sockets.get(epoch)?.close(1000, RENEW_CLOSE_MS);
    }
  }

  /** The exit closes whatever is left open beside the current connection. */
  #closeOthers(withinMs: number): void {
    for (const timer of this.#retired.values()) clearTimeout(timer);
    this.#retired.clear();
    for (const [epoch, socket] of this.#sockets) {
      if (epoch !== this.#session.epoch) socket.close(this.#settings.close_code, withinMs);
    }
  }

  #keep(frame: Body): void {
    if (this.#unkept !== undefined) {
      this.#unkept++;
      return;
    }
    const kind = kindOf(frame, this.#accepts);
    const claimed = kind === "json" ? this.#subscriptions.message(frame as string) : [];
    if (claimed.length > 0) this.#standBy(claimed);
    else this.#journals.append(MAIN, frame, kind);
  }

  #connect(epoch: number, withinMs: number): void {
    const target = { settings: this.#settings, withinMs, lookup: this.#around.lookup };
    const events: SocketEvents = {
      opened: () => this.#advance({ type: "opened", epoch }),
      frame: (frame) => this.#frame(epoch, frame),
      pong: (proof) => this.#advance({ type: "pong", epoch, proof }),
      pinged: () => this.#heard(epoch),
      dropped: (drop) => this.#dropped(epoch, drop),
    };
    const resolved = (settings: UpstreamSettings) => {
      this.#filledIn = settings;
    };
    const socket = this.#workOut ? openLate(this.#workOut, target, resolved, events) : openSocket(target, events);
    this.#sockets.set(epoch, socket);
  }

  #frame(epoch: number, frame: Body): void {
    const now = this.#heard(epoch);
    this.#lastFrameAt = now;
    const { current, next } = this.#pair;
    if (listens(current, epoch) || (next && listens(next, epoch))) this.#advance({ type: "frame", epoch, frame });
    else this.#exchangeFrame(epoch, frame, now);
    this.#setAlarm();
  }

  #exchangeFrame(epoch: number, frame: Body, now: number): void {
    const effects = this.#exchange.frame(epoch, frame, now, this.#sockets.get(epoch)?.buffered ?? 0);
    this.#carryOut(effects);
    const goingAway = this.#settings.reconnect.rotate?.on;
    if (!goingAway || !effects.some(({ type }) => type === "message")) return;
    if (matchesFrame(frame, goingAway.match)) this.#advance({ type: "rotate", epoch });
  }

  #heard(epoch: number): number {
    const now = this.#around.now();
    if (epoch === this.#session.epoch) this.#heardAt = now;
    return now;
  }

  #dropped(epoch: number, drop: Drop): void {
    const by = this.#sockets.get(epoch)?.closedBy ?? null;
    this.#sockets.delete(epoch);
    if (this.#close && epoch === this.#session.epoch) this.#close = closeOf(drop, by);
    this.#advance({ type: "dropped", epoch, drop });
    if (this.#retired.has(epoch)) this.#carryOut(this.#exchange.lost(epoch, drop, this.#around.now()));
    this.#tellClosed();
    this.#setAlarm();
  }

  get #socket(): Socket | undefined {
    return this.#sockets.get(this.#session.epoch);
  }

  // The exchange.

  #carryOut(effects: readonly ExchangeEffect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case "write": {
          const taken = this.#sockets.get(effect.epoch)?.write(effect.frame) ?? false;
          if (taken) this.#lastWritten = effect.entry;
          if (taken && effect.entry.expectsReply) break;
          this.#carryOut(this.#exchange.written(effect.entry, taken, this.#around.now()));
          break;
        }
        case "settle":
          if (effect.seq < 0) this.#answered(-effect.seq, effect.outcome);
          else this.#post({ type: "settled", upstream: this.#name, seq: effect.seq, outcome: effect.outcome });
          break;
        case "part":
          this.#post({ type: "part", upstream: this.#name, seq: effect.seq, body: effect.body });
          break;
        case "late":
          // Nobody waits any longer for what the thread asked by itself.
          if (effect.seq > 0)
            this.#post({ type: "late", upstream: this.#name, seq: effect.seq, outcome: effect.outcome });
          break;
        case "answer":
          this.#sockets.get(effect.epoch)?.write(effect.frame);
          break;
        case "message":
          this.#keep(effect.frame);
          break;
        case "probe":
          this.#advance({ type: "probe" });
          break;
        case "renew":
          this.#advance({ type: "renew", detail: effect.detail });
      }
    }
    if (this.#retired.size > 0) this.#closeRetired();
    if (this.#draining) this.#tellDrained();
  }

  #expire(): void {
    const now = this.#around.now();
    this.#carryOut(this.#exchange.expire(now));
    this.#standBy(this.#subscriptions.expire(now));
    this.#setAlarm();
  }

  #setAlarm(): void {
    const next = Math.min(
      this.#exchange.nextDeadline ?? Number.POSITIVE_INFINITY,
      this.#subscriptions.nextDeadline ?? Number.POSITIVE_INFINITY,
    );
    this.#alarm.set(Number.isFinite(next) ? next : undefined);
  }

  // Standing subscriptions. Their requests go the way of all others, under numbers that no caller has.

  #standBy(effects: readonly SubscriptionEffect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case "ask":
        case "tell": {
          const now = this.#around.now();
          const kind = effect.type === "ask" ? "request" : "send";
          const call = {
            seq: -effect.number,
            kind,
            body: effect.message,
            deadline: now + SUBSCRIBE_WITHIN_MS,
          } as const;
          this.#carryOut(this.#exchange.call(call, now, this.#socket?.buffered ?? 0));
          break;
        }
        case "state":
          if (effect.state.phase === "active") this.#journals.back(effect.name);
          if (effect.state.phase === "failed") this.#journals.still(effect.name, effect.state.lastError ?? "");
          this.#post({ type: "subscription", upstream: this.#name, name: effect.name, state: effect.state });
          break;
        case "message":
          this.#journals.append(effect.name, effect.text, "json");
      }
    }
  }

  #answered(number: number, outcome: Outcome): void {
    const { from, refused: to } = this.#settings.reconnect;
    const context = { now: this.#around.now(), random: Math.random(), retry: { from: Math.min(from, to), to } };
    this.#standBy(this.#subscriptions.settled(number, outcome, context));
  }

  // What the host is told.

  #post(message: FromThread): void {
    this.#around.post(message);
  }

  #tellDrained(): void {
    if (!this.#draining || this.#exchange.onTheWire > 0) return;
    this.#draining = false;
    this.#post({ type: "drained", upstream: this.#name });
  }

  #tellClosed(): void {
    if (!this.#close || this.#sockets.size > 0) return;
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
      lastFrameAgeMs: this.#lastFrameAt === undefined ? undefined : Math.round(now - this.#lastFrameAt),
      roundTripMs: this.#roundTripMs,
      bufferedBytes: this.#socket?.buffered ?? 0,
      kept: this.#journals.kept,
      counters: { ...this.#exchange.counters },
    };
  }
}

function setTimer(timer: PhaseTimer, ms: number | undefined, blames = false): void {
  if (ms !== undefined && blames) timer.setToBlame(ms);
  else timer.set(ms);
}

/** What `data` will be to readers. Bytes stay bytes, whatever they hold; in a dialect of text, so does text. */
function kindOf(frame: Body, accepts: Protocol["accepts"]): MessageKind {
  if (typeof frame !== "string") return "binary";
  return accepts === "json" && isJson(frame) ? "json" : "text";
}

function closeOf(drop: Drop, by: CloseCounts["by"]): CloseCounts {
  if (drop.reason === "closed") return { code: drop.code, by, forced: false };
  return { code: null, by, forced: drop.reason === "unclosed" };
}
