import type { LookupFunction } from "node:net";
import type { UpstreamSettings } from "../../config/schema.ts";
import { matchesFrame } from "../../core/connection/greeting.ts";
import type { Availability } from "../../core/connection/session.ts";
import type { Call } from "../../core/exchange/admission.ts";
import type { ExchangeEffect } from "../../core/exchange/effects.ts";
import { Exchange } from "../../core/exchange/exchange.ts";
import type { Body, Protocol } from "../../protocols/protocol.ts";
import { Alarm } from "../alarm.ts";
import type { FromThread, Life, ToThread, UpstreamDetails } from "../contract.ts";
import { Link } from "./connection.ts";
import { Unasked } from "./message-router.ts";

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
 * One upstream on the sidecar's thread: what the host asks, what comes over the link, and what the exchange wants done of
 * either. Nothing is decided here.
 */
export class Upstream {
  readonly #name: string;
  readonly #settings: UpstreamSettings;
  readonly #around: Surroundings;
  readonly #exchange: Exchange;
  readonly #alarm: Alarm;
  readonly #unasked: Unasked;
  readonly #link: Link;
  /** Somebody waits for `drained`. */
  #draining = false;

  constructor(name: string, settings: UpstreamSettings, protocol: Protocol, around: Surroundings, life: Life) {
    this.#name = name;
    this.#settings = settings;
    this.#around = around;
    this.#exchange = new Exchange(protocol, settings.limits);
    this.#alarm = new Alarm(around.now, () => this.#expire());
    const call = this.#call.bind(this);
    this.#unasked = new Unasked(name, settings, protocol.accepts, life, { ...around, call });
    this.#link = new Link(name, settings, around, {
      state: (state) => this.#post({ type: "state", upstream: name, state }),
      moved: (link, now) => this.#moved(link, now),
      lost: (epoch, why, now) => this.#carryOut(this.#exchange.lost(epoch, why, now)),
      away: (why) => {
        this.#withdrawOwn();
        this.#unasked.lost(why);
      },
      rotated: () => {
        this.#withdrawOwn();
        this.#unasked.rotated();
      },
      proven: (epoch, messages) => this.#carryOut(this.#exchange.proven(epoch, messages)),
      message: (frame) => this.#greeted(frame),
      frame: (epoch, frame, now) => this.#frame(epoch, frame, now),
      closed: (close) => this.#post({ type: "closed", upstream: name, close }),
    });
  }

  start(): void {
    this.#link.start();
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
        this.#link.close(command.withinMs);
        break;
      case "cancel": {
        const { effects, counts } = this.#exchange.cancel();
        this.#carryOut(effects);
        this.#link.destroy();
        this.#post({ type: "cancelled", upstream: this.#name, counts, unkept: this.#unasked.unkept });
      }
    }
  }

  // What comes over the link.

  #moved(link: Availability, now: number): void {
    const ready = link.type === "ready";
    if (ready) this.#unasked.back();
    this.#carryOut(this.#exchange.link(link, now));
    if (ready) this.#unasked.connected();
  }

  /** What we ask by ourselves is asked anew on the next connection: what still waits for this one must not go out there, too. */
  #withdrawOwn(): void {
    this.#exchange.withdraw((seq) => seq < 0);
  }

  /** What was said before there could be requests. */
  #greeted(frame: Body): void {
    this.#exchange.counters.messages++;
    this.#unasked.message(frame);
  }

  #frame(epoch: number, frame: Body, now: number): void {
    const effects = this.#exchange.frame(epoch, frame, now, this.#link.buffered(epoch));
    this.#carryOut(effects);
    const goingAway = this.#settings.reconnect.rotate?.on;
    if (!goingAway || !effects.some(({ type }) => type === "message")) return;
    if (matchesFrame(frame, goingAway.match)) this.#link.rotate(epoch);
  }

  // The exchange.

  #call(call: Call, now: number): void {
    this.#carryOut(this.#exchange.call(call, now, this.#link.buffered()));
  }

  #carryOut(effects: readonly ExchangeEffect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case "write": {
          const taken = this.#link.write(effect.epoch, effect.frame, effect.entry);
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
          if (effect.seq < 0) this.#unasked.late(effect.seq, effect.outcome);
          else this.#post({ type: "late", upstream: this.#name, seq: effect.seq, outcome: effect.outcome });
          break;
        case "answer":
          this.#link.write(effect.epoch, effect.frame);
          break;
        case "message":
          this.#unasked.message(effect.frame, effect.json);
          break;
        case "probe":
          this.#link.probe();
          break;
        case "renew":
          this.#link.renew(effect.detail);
      }
    }
    this.#link.closeRetired((epoch) => this.#exchange.awaits(epoch));
    if (this.#draining) this.#tellDrained();
    this.#setAlarm();
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

  #details(now: number): UpstreamDetails {
    return {
      inFlight: this.#exchange.inFlight,
      ...this.#link.details(now),
      kept: this.#unasked.kept,
      counters: { ...this.#exchange.counters },
    };
  }
}
