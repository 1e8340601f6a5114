/** The upstream on the sidecar's thread: host commands, its connection and its exchange, wired together. */
import type { UpstreamSettings } from "../../config/schema.ts";
import type { Availability } from "../../core/connection/availability.ts";
import { filledAnswer, filledMessage } from "../../core/connection/captured-texts.ts";
import { configuredFrames } from "../../core/connection/greeting.ts";
import { SignsOfLife } from "../../core/connection/signs-of-life.ts";
import { withAdditions } from "../../core/exchange/additions.ts";
import type { ExchangeEffect } from "../../core/exchange/effects.ts";
import { Exchange } from "../../core/exchange/exchange.ts";
import { failed, notTaken, unconfirmable } from "../../core/exchange/failures.ts";
import type { NewRequest, Owner } from "../../core/exchange/request-table.ts";
import type { HeldAnswer } from "../../core/messages/held-answers.ts";
import { unrepliable } from "../../core/messages/upstream-requests.ts";
import type { Outcome } from "../../core/outcome.ts";
import type { Tally } from "../../core/tally.ts";
import type { Budget } from "../../core/util/budget.ts";
import { flat } from "../../core/util/flat.ts";
import type { Network } from "../../net/connect.ts";
import { matchesFrame } from "../../protocols/condition.ts";
import { framesOf } from "../../protocols/presets.ts";
import type { AnswerForm, Body, Protocol } from "../../protocols/protocol.ts";
import { Alarm } from "../alarm.ts";
import type { CommandOf, FromThread, JournalEpochs, ProtocolTraits, ThreadDetails, ToThread } from "../contract.ts";
import { Connection } from "./connection.ts";
import type { FrameTape } from "./frame-tape.ts";
import type { FrameTrace } from "./frame-trace.ts";
import { Framing } from "./framing.ts";
import { traitsOf, withConfiguredRules } from "./load-protocol.ts";
import type { Work } from "./mark.ts";
import { MessageRouter } from "./message-router.ts";
import type { SharedLog } from "./shared-log.ts";
import type { MayWrite } from "./socket.ts";

/** Services of the thread that an upstream lives on. */
export interface UpstreamEnvironment {
  /** Milliseconds of a monotonic clock. */
  now(): number;
  /** `alone`: no other message is expected before the turn of the event loop ends. */
  post(message: FromThread, alone?: boolean): void;
  /** Does everything that the upstream's sockets and timers begin: the host must know for whom the thread works. */
  readonly work: Work;
  /** Reports an exception of a user's module, which was caught. */
  threw(what: string, error: unknown): void;
  readonly network: Network;
  readonly budget: Budget;
  /** The log of the messages of an upstream that replicas share; undefined without any. */
  readonly log?: SharedLog | undefined;
  /** The fence of an upstream that replicas share; undefined without any. */
  readonly mayWrite?: MayWrite | undefined;
  /** Counts what the upstream does. */
  readonly tally: Tally;
  /** Undefined unless frames are traced. */
  readonly trace?: FrameTrace | undefined;
  /** Undefined unless what connections exchange is recorded. */
  readonly tape?: FrameTape | undefined;
}

export type UpstreamCommand = Exclude<ToThread, { type: "open" | "heartbeat" | "end" }>;

/** Passes commands and frames to the exchange and carries out its effects. Makes no decisions. */
export class Upstream {
  readonly #name: string;
  #settings: UpstreamSettings;
  readonly #env: UpstreamEnvironment;
  readonly traits: ProtocolTraits;
  readonly #exchange: Exchange;
  readonly #alarm: Alarm;
  readonly #router: MessageRouter;
  readonly #connection: Connection;
  readonly #framing: Framing;
  readonly #endsSession: Protocol["endsSession"];
  /** True while the host waits for `drained`. */
  #draining = false;

  constructor(
    name: string,
    settings: UpstreamSettings,
    protocol: Protocol,
    env: UpstreamEnvironment,
    life: JournalEpochs,
  ) {
    this.#name = name;
    this.#settings = settings;
    this.#env = env;
    const answering = withConfiguredRules(protocol, settings.protocol);
    this.#endsSession = protocol.endsSession;
    this.traits = traitsOf(answering, settings.protocol);
    const mask = (text: string) => this.#connection.withoutSecrets(text);
    const signs = new SignsOfLife();
    const values = {
      add: (frame: Body) => withAdditions(frame, this.#connection.resolved.settings.add, this.#connection.valuesOf()),
      fill: (connection: number, frame: string, form: AnswerForm) =>
        filledAnswer(frame, form, this.#connection.valuesOf(connection), this.#connection.resolved.resolve),
    };
    const configured = configuredFrames(settings);
    const { budget, tally } = env;
    this.#exchange = new Exchange(answering, settings.limits, mask, configured, budget, values, signs, tally);
    this.#alarm = new Alarm(env.now, () => env.work(() => this.#expire(), undefined));
    this.#router = new MessageRouter(name, settings, protocol, life, {
      ...env,
      request: (request, now) => this.#request("subscriptions", request, now),
      secrets: {
        fill: (message) => filledMessage(this.#connection.resolved.fill(message), this.#connection.valuesOf()),
        show: (reply) => flat(this.#connection.excerpt(reply)),
      },
    });
    if (protocol.mask) env.tape?.maskBy(protocol.mask);
    const frames = framesOf(settings.protocol);
    this.#framing = new Framing(frames, protocol.accepts, settings.limits.reply_bytes);
    this.#connection = new Connection(
      name,
      settings,
      this.#framing,
      { ...env, signs, states: protocol.states, largeReads: answering.decode.reads },
      {
        state: (state) => this.#post({ type: "state", upstream: name, state }),
        ended: (wasOpen, code) => this.#post({ type: "connectionEnded", upstream: name, wasOpen, code }),
        availability: (availability, now) => this.#onAvailability(availability, now),
        lost: (connection, why, now) => {
          this.#router.onConnectionLost(connection);
          this.#carryOut(this.#exchange.onLost(connection, why, now));
        },
        away: (why) => this.#router.onLost(why, this.#withdrawSubscriptions()),
        resuming: (isExpected) => this.#router.onResuming(isExpected),
        rotated: () => this.#router.onRotated(this.#withdrawSubscriptions()),
        proven: (connection, frames) => this.#carryOut(this.#exchange.onProven(connection, frames, env.now())),
        message: (connection, frame) =>
          this.#carryOut(
            this.#exchange.onEarlyFrame(connection, frame, env.now(), this.#connection.buffered(connection)),
          ),
        frame: (connection, frame, now) => this.#onFrame(connection, frame, now),
        largeReply: (connection, skeleton, now) => {
          const effects = this.#exchange.onLargeReply(connection, skeleton, now);
          if (effects) this.#carryOut(effects);
          return effects !== undefined;
        },
        adopt: (connection, frame, by) => this.#exchange.adopt(connection, frame, by),
        originOf: (connection, frame) => this.#exchange.originOf(connection, frame),
        owesNext: (connection) => this.#exchange.owesNext(connection),
        answered: (connection, id) => this.#exchange.onConfiguredReply(connection, id),
        unreadable: (frame, why, now) => this.#carryOut(this.#exchange.onUnreadable(frame, why, now)),
        sentOwn: (now) => this.#exchange.onOwnFrame(now),
        closed: (close) => this.#post({ type: "closed", upstream: name, close }),
      },
    );
  }

  readonly #awaits = (connection: number): boolean => this.#exchange.awaits(connection);

  start(): void {
    this.#connection.start();
  }

  /** This replica owns the upstream from here on, or goes on to after it might not write for a while. */
  own(): void {
    this.#connection.start();
    // Not to the router: on a connection that has stayed, subscriptions are requested already.
    this.#carryOut(this.#exchange.onAvailability(this.#connection.availability, this.#env.now()));
  }

  /** Another replica may own the upstream: what was not sent is theirs, and the connection is broken. */
  resign(why: string): void {
    this.#carryOut(this.#exchange.giveUpHeld({ ...notTaken, detail: why }, this.#env.now()));
    this.#connection.resign(why);
  }

  /** Hides the secrets of the settings in a text. */
  withoutSecrets(text: string): string {
    return this.#connection.withoutSecrets(text);
  }

  handle(command: UpstreamCommand): void {
    const now = this.#env.now();
    switch (command.type) {
      case "request":
        this.#request("caller", command, now);
        break;
      case "send": {
        const { inSeries, over } = command;
        const series = inSeries ? { connection: over === 0 ? undefined : over } : undefined;
        this.#request("caller", { ...command, unanswered: true, series }, now);
        break;
      }
      case "abandon":
        this.#router.abandon(command.seq);
        this.#carryOut(this.#exchange.abandon(command.seq, now));
        break;
      case "taken":
        this.#exchange.taken(command.seq, command.weight);
        break;
      case "subscribe":
        this.#router.subscribe(command);
        break;
      case "unsubscribe":
        this.#router.unsubscribe(command);
        break;
      case "agree":
        this.#router.agree(command);
        break;
      case "read":
        this.#router.read(command);
        break;
      case "cancelRead":
        this.#router.unread(command.seq);
        break;
      case "delivered":
        this.#answer(this.#router.delivered(command), now);
        break;
      case "acknowledge":
        this.#acknowledge(command, now);
        break;
      case "reply":
        this.#post({ type: "settled", upstream: this.#name, seq: command.seq, outcome: this.#reply(command, now) });
        break;
      case "inspect":
        this.#post({ type: "inspected", upstream: this.#name, seq: command.seq, details: this.#details(now) });
        break;
      case "reconfigure":
        this.#reconfigure(command, now);
        break;
      case "drain":
        this.#draining = true;
        this.#carryOut(this.#exchange.drain(now));
        this.#reportDrained();
        break;
      case "stop":
        this.#router.stop();
        break;
      case "close":
        this.#connection.close(command.withinMs);
        break;
      case "cancel": {
        const { effects, counts } = this.#exchange.cancel();
        this.#carryOut(effects);
        this.#router.cancel();
        this.#connection.destroy();
        this.#post({ type: "cancelled", upstream: this.#name, counts, discarded: this.#router.unkept });
        break;
      }
      case "remove":
        this.#connection.destroy();
        this.#alarm.clear();
        this.#router.end();
    }
  }

  #reconfigure({ settings, anew }: CommandOf<"reconfigure">, now: number): void {
    this.#settings = settings;
    this.#framing.reconfigure(settings.limits.reply_bytes);
    this.#router.reconfigure(settings);
    this.#carryOut(this.#exchange.reconfigure(settings.limits, configuredFrames(settings), now));
    this.#connection.reconfigure(settings, anew);
  }

  #acknowledge(command: CommandOf<"acknowledge">, now: number): void {
    const answers = this.#router.acknowledged(command);
    if (typeof answers !== "string") this.#answer(answers, now);
    const answered = typeof answers === "string" ? answers : answers.length;
    this.#post({ type: "acknowledged", upstream: this.#name, seq: command.seq, answered });
  }

  /** Sends a caller's reply to a request of the upstream's. */
  #reply({ to, body }: CommandOf<"reply">, now: number): Outcome {
    const kept = this.#router.requestAt(to);
    if (typeof kept === "string") return failed(unrepliable[kept], undefined);
    const { request, data } = kept;
    const { connection, reply } = request;
    if (reply !== "wanted") return failed(unrepliable[reply], undefined);
    const frame = this.#exchange.replyTo(connection, data, body, this.#connection.buffered(connection));
    if (typeof frame === "object" && "failure" in frame) return frame;
    if (!this.#connection.write(connection, frame)) return failed(unrepliable.lost, undefined);
    request.markReplied();
    this.#exchange.onReplied(now);
    return { type: "done" };
  }

  /** Sends the answers whose messages have arrived. */
  #answer(answers: readonly HeldAnswer[], now: number): void {
    for (const answer of answers)
      this.#carryOut(this.#exchange.answer(answer, now, this.#connection.buffered(answer.connection)));
  }

  // The connection.

  #onAvailability(availability: Availability, now: number): void {
    const ready = availability.type === "ready";
    if (ready) this.#router.onReady(this.#connection.hasResumed);
    this.#carryOut(this.#exchange.onAvailability(availability, now));
    if (ready) this.#router.onConnected();
  }

  /** Subscriptions are requested again on the next connection, where requests held for this one must not go out too. */
  #withdrawSubscriptions(): readonly number[] {
    return this.#exchange.withdraw("subscriptions");
  }

  #onFrame(connection: number, frame: Body, now: number): void {
    const effects = this.#exchange.onFrame(connection, frame, now, this.#connection.buffered(connection));
    this.#carryOut(effects);
    const goingAway = this.#settings.reconnect.rotate?.on;
    if (!goingAway && !this.#endsSession) return;
    for (const effect of effects) {
      if (effect.type !== "message" || this.#connection.isBytes(effect.frame)) continue;
      if (this.#endsSession?.(effect.frame)) this.#connection.endSession(connection);
      if (goingAway && matchesFrame(effect.frame, goingAway)) this.#connection.rotate(connection);
    }
  }

  // The exchange.

  #request(owner: Owner, request: NewRequest, now: number): void {
    if (request.kind === "confirm" && this.#settings.keepalive.ping === null) {
      const outcome = { type: "failed", failure: unconfirmable } as const;
      this.#post({ type: "settled", upstream: this.#name, seq: request.seq, outcome });
      return;
    }
    this.#carryOut(this.#exchange.request(owner, request, now, this.#connection.buffered()));
  }

  #carryOut(effects: readonly ExchangeEffect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case "write": {
          const { entry, frame } = effect;
          const written = (taken: boolean) => this.#carryOut(this.#exchange.onWritten(entry, taken, this.#env.now()));
          const onTaken = entry.inSeries ? () => this.#env.work(written, true) : undefined;
          const taken = this.#connection.write(entry.phase.connection, frame, entry, onTaken);
          if (!taken || !(entry.expectsReply || onTaken)) written(taken);
          break;
        }
        case "settle": {
          const { owner, seq, outcome } = effect;
          const alone = this.#exchange.inFlight === 0;
          if (owner === "subscriptions") this.#router.onSettled(seq, outcome);
          else this.#post({ type: "settled", upstream: this.#name, seq, outcome }, alone);
          break;
        }
        case "begun":
          this.#post({ type: "begun", upstream: this.#name, seq: effect.seq });
          break;
        case "part":
          this.#post({ type: "part", upstream: this.#name, seq: effect.seq, body: effect.body });
          break;
        case "late": {
          const { owner, seq, outcome } = effect;
          if (owner === "subscriptions") this.#router.onLate(seq, outcome);
          else this.#post({ type: "late", upstream: this.#name, seq, outcome });
          break;
        }
        case "send":
          this.#connection.write(effect.connection, effect.frame);
          this.#exchange.onOwnFrame(this.#env.now());
          break;
        case "message":
          this.#router.message(effect.frame, effect.json, effect.answer, effect.replyOver);
          break;
        case "probe":
          this.#connection.probe();
          break;
        case "renew":
          this.#connection.renew(effect.detail);
      }
    }
    this.#connection.closeRetired(this.#awaits);
    this.#reportDrained();
    this.#setAlarm();
  }

  #expire(): void {
    const now = this.#env.now();
    this.#carryOut(this.#exchange.expire(now));
    this.#router.expire();
    this.#reportDrained();
    this.#setAlarm();
  }

  /** The earlier of the two deadlines counts: setting an alarm never postpones it. */
  #setAlarm(): void {
    this.#alarm.set(this.#exchange.nextDeadline);
    this.#alarm.set(this.#router.nextDeadline);
  }

  // Messages to the host.

  #post(message: FromThread, alone = false): void {
    this.#env.post(message, alone);
  }

  #reportDrained(): void {
    if (!this.#draining || this.#exchange.owesCallers || this.#router.owesAgreement) return;
    this.#draining = false;
    this.#post({ type: "drained", upstream: this.#name });
  }

  #details(now: number): ThreadDetails {
    return {
      inFlight: this.#exchange.inFlight,
      inFlightMax: this.#exchange.inFlightMax,
      firstInFlightAgeMs: this.#exchange.firstInFlightAgeMs(now),
      ...this.#connection.details(now),
      kept: this.#router.kept,
    };
  }
}
