import type { LookupFunction } from "node:net";
import type { UpstreamSettings } from "../config/schema.ts";
import { type Drop, describeDrop } from "../core/drop.ts";
import { Exchange, type ExchangeEffect } from "../core/exchange.ts";
import type { MessageKind } from "../core/journal.ts";
import type { Outcome } from "../core/outcome.ts";
import {
  availability,
  newSession,
  type Session,
  type SessionEffect,
  type SessionInput,
  step,
} from "../core/session.ts";
import { type SubscriptionEffect, Subscriptions } from "../core/subscriptions.ts";
import { isJson } from "../protocols/json-message.ts";
import type { Body, Protocol } from "../protocols/protocol.ts";
import { Alarm } from "./alarm.ts";
import { Journals, MAIN } from "./journals.ts";
import type { CloseCounts, FromThread, Life, ToThread, UpstreamDetails, UpstreamState } from "./messages.ts";
import { PhaseTimer } from "./phase-timer.ts";
import { openSocket, type Socket } from "./socket.ts";

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
  readonly #around: Surroundings;
  readonly #exchange: Exchange;
  readonly #alarm: Alarm;
  readonly #journals: Journals;
  readonly #accepts: Protocol["accepts"];
  readonly #subscriptions = new Subscriptions();
  /** Every socket that is not gone yet. There may be two while one makes way for its successor. */
  readonly #sockets = new Map<number, Socket>();
  #session: Session = newSession;
  readonly #phaseTimer = new PhaseTimer(() => this.#advance({ type: "timer" }));
  #lastError: string | undefined;
  #lastFrameAt: number | undefined;
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
        this.#tellClosed();
        break;
      case "cancel": {
        const { effects, counts } = this.#exchange.cancel();
        this.#carryOut(effects);
        this.#advance({ type: "close", withinMs: 0 });
        this.#post({ type: "cancelled", upstream: this.#name, counts, unkept: this.#unkept ?? 0 });
      }
    }
    this.#setAlarm();
  }

  // The session.

  #advance(input: SessionInput): void {
    const before = this.#session;
    const now = this.#around.now();
    const proof = `${this.#pings + 1}.${this.#exchange.handedOver}`;
    const { session, effects } = step(before, input, { now, random: Math.random(), proof, settings: this.#settings });
    this.#session = session;
    for (const effect of effects) this.#perform(effect, now);
    if (session.at.phase === before.at.phase && session.epoch === before.epoch) return;
    if (session.at.phase === "ready") this.#journals.back(MAIN);
    this.#carryOut(this.#exchange.link(availability(session), now));
    if (session.at.phase === "ready") this.#standBy(this.#subscriptions.connected());
    this.#post({ type: "state", upstream: this.#name, state: this.#state(now) });
  }

  #perform(effect: SessionEffect, now: number): void {
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
        if (effect.ms !== undefined && isWaitingForPeer(this.#session)) this.#phaseTimer.setToBlame(effect.ms);
        else this.#phaseTimer.set(effect.ms);
        break;
      case "lost":
        this.#lastError = describeDrop(effect.why);
        this.#journals.away(this.#lastError);
        if (effect.epoch === this.#session.epoch) this.#standBy(this.#subscriptions.lost());
        this.#carryOut(this.#exchange.lost(effect.epoch, effect.why, now));
        break;
      case "proven":
        this.#roundTripMs = now - this.#pingedAt;
        this.#exchange.proven(effect.epoch, Number(effect.proof.split(".")[1]));
        break;
      case "message":
        this.#exchange.counters.messages++;
        this.#keep(effect.frame);
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
    const socket = openSocket(target, {
      opened: () => this.#advance({ type: "opened", epoch }),
      frame: (frame) => this.#frame(epoch, frame),
      pong: (proof) => this.#advance({ type: "pong", epoch, proof }),
      dropped: (drop) => this.#dropped(epoch, drop),
    });
    this.#sockets.set(epoch, socket);
  }

  #frame(epoch: number, frame: Body): void {
    const now = this.#around.now();
    this.#lastFrameAt = now;
    const { at, failures } = this.#session;
    const greeting = at.phase === "greeting" && at.epoch === epoch;
    if (greeting || failures > 0) this.#advance({ type: "frame", epoch, frame });
    if (!greeting) this.#carryOut(this.#exchange.frame(epoch, frame, now, this.#sockets.get(epoch)?.buffered ?? 0));
    this.#setAlarm();
  }

  #dropped(epoch: number, drop: Drop): void {
    const by = this.#sockets.get(epoch)?.closedBy ?? null;
    this.#sockets.delete(epoch);
    if (this.#close && epoch === this.#session.epoch) this.#close = closeOf(drop, by);
    this.#advance({ type: "dropped", epoch, drop });
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
          if (taken && effect.entry.expectsReply) break;
          this.#carryOut(this.#exchange.written(effect.entry, taken, this.#around.now()));
          break;
        }
        case "settle":
          if (effect.seq < 0) this.#answered(-effect.seq, effect.outcome);
          else this.#post({ type: "settled", upstream: this.#name, seq: effect.seq, outcome: effect.outcome });
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
    return { phase: at.phase, attempts: failures, lastError: this.#lastError, retryInMs };
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

function isWaitingForPeer({ at }: Session): boolean {
  return at.phase === "greeting" || (at.phase === "ready" && at.pong !== undefined);
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
