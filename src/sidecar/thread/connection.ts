/** The connection to an upstream, which carries out the session's effects on sockets and timers. */

import type { UpstreamSettings } from "../../config/schema.ts";
import { type Availability, availability } from "../../core/connection/availability.ts";
import type { CapturedScalars } from "../../core/connection/captured-values.ts";
import { seenBy } from "../../core/connection/configured-reply.ts";
import { codeOf, type Disconnect, describeDisconnect } from "../../core/connection/disconnect.ts";
import type { ConfiguredBy, FrameOrigin } from "../../core/connection/frame-origin.ts";
import type { Rung } from "../../core/connection/liveness.ts";
import { addressNaming } from "../../core/connection/reconnect-address.ts";
import {
  newRotation,
  type Rotation,
  type RotationEffect,
  type RotationInput,
  stepRotation,
} from "../../core/connection/rotation.ts";
import { looksAtFrames, RENEW_CLOSE_MS, wantsFrames } from "../../core/connection/session.ts";
import type { Session } from "../../core/connection/session-state.ts";
import type { Signs, SignsOfLife } from "../../core/connection/signs-of-life.ts";
import type { SentEntry } from "../../core/exchange/request-table.ts";
import type { Network } from "../../net/connect.ts";
import { bodyOf, LargeText, type Received } from "../../protocols/large-text.ts";
import type { Body, ConnectionStates, WireId } from "../../protocols/protocol.ts";
import type { Reads } from "../../protocols/reads.ts";
import type { Skeleton } from "../../protocols/skeleton.ts";
import { excerptOf, joinedSecrets, maskSecrets } from "../../secrets/secrets.ts";
import type { CloseCounts, ThreadDetails, UpstreamState } from "../contract.ts";
import { Arrivals, type Handling } from "./arrivals.ts";
import { Captures } from "./captures.ts";
import { ConnectionTicks } from "./connection-ticks.ts";
import { Farewells } from "./farewells.ts";
import type { FrameTape } from "./frame-tape.ts";
import type { FrameTrace } from "./frame-trace.ts";
import type { Framing } from "./framing.ts";
import type { Work } from "./mark.ts";
import { PeerActivity, provenBy } from "./peer-activity.ts";
import { PhaseTimer } from "./phase-timer.ts";
import { shownRefusal } from "./refused-upgrade.ts";
import type { Resolved } from "./resolve-placeholders.ts";
import type { MayWrite } from "./socket.ts";
import { Sockets } from "./sockets.ts";

export interface ConnectionEvents {
  /** Called before the other events of the same turn: a listener that then looks must not find the old state. */
  state(state: UpstreamState): void;
  /** A connection has ended that was open or, if it was not, an attempt to connect; `code` is the reason. */
  ended(wasOpen: boolean, code: string): void;
  /** The connection that requests can be sent on now, if any. Called after the other events of the same turn. */
  availability(availability: Availability, now: number): void;
  /** No reply comes over this connection any more. */
  lost(connection: number, why: Disconnect, now: number): void;
  /** There is no connection, so messages of the upstream are missed from here on. */
  away(why: string): void;
  /**
   * The next connection is expected to go on where the last one ended, or is not. If so, what comes until it is ready
   * was not missed.
   */
  resuming(isExpected: boolean): void;
  /** A new connection has replaced the current one. */
  rotated(): void;
  /** A pong proved that the peer has the first `messages` messages written to this connection. */
  proven(connection: number, messages: number): void;
  /** A frame that belongs to no request, because none could have been sent yet. */
  message(connection: number, frame: Body): void;
  frame(connection: number, frame: Body, now: number): void;
  /** Offers a large frame by its skeleton. @returns false if it must come as a frame; then nothing has changed */
  largeReply(connection: number, skeleton: Skeleton, now: number): boolean;
  /** Returns the frame that is written in place of one of the configuration's, under an id of ours. */
  adopt(connection: number, frame: Body, by: ConfiguredBy): Body;
  /** Returns what a frame answers. Called only while a greeting, a farewell or a heartbeat waits for a frame. */
  originOf(connection: number, frame: Body): FrameOrigin | undefined;
  /** Returns true if a reply is due next on a connection: one to the farewell would be taken for it. */
  owesNext(connection: number): boolean;
  /** The reply to a frame of the configuration met its condition, and is not passed on. */
  answered(connection: number, id: WireId): void;
  /** A frame that could not be taken apart, and the reason. */
  unreadable(frame: Body, why: string, now: number): void;
  /** A frame that nobody requested went out: of a greeting or a heartbeat, a ping or a pong. */
  sentOwn(now: number): void;
  /** After `close`: every socket is gone. */
  closed(close: CloseCounts): void;
}

interface ConnectionEnvironment {
  /** Milliseconds of a monotonic clock. */
  now(): number;
  readonly network: Network;
  readonly signs: SignsOfLife;
  /** Undefined unless the protocol keeps state for each connection. */
  readonly states?: ConnectionStates | undefined;
  /** Given if the protocol can classify a large frame without all of it. */
  readonly largeReads?: Reads;
  readonly work: Work;
  readonly mayWrite?: MayWrite | undefined;
  threw(what: string, error: unknown): void;
  /** Undefined unless frames are traced. */
  readonly trace?: FrameTrace | undefined;
  /** Undefined unless what is exchanged is recorded. */
  readonly tape?: FrameTape | undefined;
}

const NONE: readonly string[] = [];

/** Decides nothing itself: the pair of sessions does, and receives as inputs what happens on the sockets and timers. */
export class Connection {
  readonly #env: ConnectionEnvironment;
  readonly #events: ConnectionEvents;
  readonly #sockets: Sockets;
  readonly #framing: Framing;
  readonly #captures: Captures;
  /** The newest connection that resumes: what older ones still bring comes again. */
  #resumedBy = 0;
  /** The address that the upstream has named, and the connection that went there. */
  #namedAddress: { readonly url: string; readonly connection: number } | undefined;
  /** Both lists of secrets as one: it is needed for every step of the session. */
  #joined = { configured: NONE, brought: NONE, all: NONE };
  /** The frames of each connection that has a socket. */
  readonly #arrivals = new Map<number, Arrivals>();
  readonly #activity = new PeerActivity();
  readonly #ticks: ConnectionTicks;
  readonly #farewells: Farewells;
  /** The connections whose session the upstream has ended, and which are open still. */
  readonly #sessionEnded = new Set<number>();
  #rotation: Rotation = newRotation;
  /** The timers of the current session and of its successor, which swap when the successor takes over. */
  #timer = this.#newTimer();
  #rotationTimer = this.#newTimer();
  #lastError: string | undefined;
  #lastCause: string | undefined;
  #addressNamedIn: ReturnType<typeof addressNaming> | undefined;
  /** The last connection on which the upstream named an address that is not followed: it is reported once. */
  #unfollowedOn: number | undefined;
  #foundDeadBy: Rung | undefined;
  #close: CloseCounts | undefined;

  constructor(
    name: string,
    settings: UpstreamSettings,
    framing: Framing,
    env: ConnectionEnvironment,
    events: ConnectionEvents,
  ) {
    this.#framing = framing;
    this.#env = env;
    this.#events = events;
    this.#sockets = new Sockets(name, settings, env);
    this.#captures = new Captures(settings);
    this.#addressNamedIn = namingOf(settings);
    this.#ticks = new ConnectionTicks((connection) => env.work((due) => this.#tick(due), connection));
    this.#farewells = new Farewells({
      now: env.now,
      work: env.work,
      valuesOf: (connection) => this.valuesOf(connection),
      say: (connection, frame) => this.#send(connection, frame, "farewell"),
      close: (connection, code, withinMs) => this.#sockets.close(connection, code, withinMs),
    });
    env.states?.onTickAsked((connection, ms) => this.#ticks.set(connection, ms));
  }

  /** @param anew replaces the connection, or begins its attempt again: only a new one follows the settings */
  reconfigure(settings: UpstreamSettings, anew: boolean): void {
    this.#sockets.reconfigure(settings);
    this.#captures.reconfigure(settings);
    this.#addressNamedIn = namingOf(settings);
    this.#unfollowedOn = undefined;
    this.#advance({ type: "settings", anew });
  }

  start(): void {
    this.#advance({ type: "start" });
  }

  /** Pings the peer for a sign of life. */
  probe(): void {
    this.#advance({ type: "probe" });
  }

  /** True for a frame that the settings declare to be bytes: no condition of theirs is about it. */
  isBytes(frame: Body): boolean {
    return this.#framing.isBytes(frame);
  }

  /** Replaces the connection by a new one at once. */
  renew(detail: string): void {
    this.#advance({ type: "renew", detail });
  }

  /** Notes that the upstream has ended the session on this connection, and wants no farewell. */
  endSession(connection: number): void {
    this.#sessionEnded.add(connection);
  }

  /** Replaces this connection once a new one is ready. */
  rotate(connection: number): void {
    this.#advance({ type: "rotate", connection });
  }

  /** Breaks every connection, and opens none before the next `start`. */
  resign(detail: string): void {
    this.#advance({ type: "resign", detail });
    this.#sockets.leaveOthers(this.#session.connection, (connection) => this.#sockets.destroy(connection));
  }

  /** The connection that requests can be sent on now. */
  get availability(): Availability {
    return availability(this.#session);
  }

  /** The event `closed` follows. */
  close(withinMs: number): void {
    this.#close ??= { code: null, by: null, forced: false };
    this.#closeAll(withinMs);
    this.#reportClosed();
  }

  /** Ends every connection at once. What arrived on it and was not handled yet comes too late. */
  destroy(): void {
    this.#closeAll(0);
    for (const arrivals of [...this.#arrivals.values()]) arrivals.discard();
  }

  #closeAll(withinMs: number): void {
    this.#advance({ type: "close", withinMs });
    const { close_code: code } = this.resolved.settings;
    this.#sockets.leaveOthers(this.#session.connection, (connection, wasRetired) =>
      this.#leave(connection, code, withinMs, wasRetired),
    );
  }

  /** Closes a connection, after the farewell if that has begun, or is to be said and cannot be mistaken. */
  #leave(connection: number, code: number, withinMs: number, withFarewell = false): void {
    const begins = withFarewell && !this.#sessionEnded.has(connection) && !this.#events.owesNext(connection);
    const says = begins || this.#farewells.has(connection);
    if (says) this.#farewells.begin(connection, this.#sockets.farewellOf(connection), code, withinMs);
    else this.#sockets.close(connection, code, withinMs);
  }

  /** Sends a frame of the configuration. */
  #send(connection: number, frame: string, by: ConfiguredBy): void {
    this.write(connection, this.#events.adopt(connection, frame, by));
    this.#events.sentOwn(this.#env.now());
  }

  /**
   * @param entry the request whose message the frame is, if any
   * @param onTaken called, in a later turn, once the operating system has taken the frame
   * @returns false if the socket did not take the frame
   */
  write(connection: number, frame: Body, entry?: SentEntry, onTaken?: () => void): boolean {
    this.#env.trace?.add("sent", connection, frame, this.#secrets, this.#env.now());
    const taken = this.#sockets.write(connection, this.#framing.end(frame), onTaken);
    if (taken) this.#env.tape?.frame("sent", connection, frame, this.#secrets);
    if (taken && entry) this.#activity.wrote(entry);
    return taken;
  }

  /** Bytes handed to the socket and not yet taken by the operating system. */
  buffered(connection = this.#session.connection): number {
    return this.#sockets.buffered(connection);
  }

  /** The secrets of the settings, as the newest attempt has resolved them, and those that frames have brought. */
  get #secrets(): readonly string[] {
    const { secrets: configured } = this.resolved;
    const { secrets: brought } = this.#captures;
    const joined = this.#joined;
    if (joined.configured !== configured || joined.brought !== brought)
      this.#joined = { configured, brought, all: joinedSecrets(configured, brought) };
    return this.#joined.all;
  }

  /** Hides the secrets in a text. */
  withoutSecrets(text: string): string {
    return maskSecrets(text, this.#secrets);
  }

  /** Quotes a peer's text for people. */
  excerpt(text: string): string {
    return excerptOf(text, this.#secrets);
  }

  /** The values that frames of a connection have brought. */
  valuesOf(connection = this.#session.connection): CapturedScalars {
    return this.#captures.valuesOf(connection);
  }

  /** True if the connection goes on where the one before it ended; undefined if none of this upstream does. */
  get hasResumed(): boolean | undefined {
    return this.#captures.mayResume ? this.#captures.isResuming(this.#session.connection) : undefined;
  }

  /** Closes the retired connections that owe no reply any more. */
  closeRetired(owes: (connection: number) => boolean): void {
    if (!this.#sockets.anyRetired) return;
    const { close_code: code } = this.resolved.settings;
    this.#sockets.leaveRetired(owes, (connection) => this.#leave(connection, code, RENEW_CLOSE_MS, true));
  }

  details(
    now: number,
  ): Pick<ThreadDetails, "lastFrameAgeMs" | "lastPongAgeMs" | "roundTripMs" | "bufferedBytes" | "captured"> {
    const { roundTripMs } = this.#activity;
    const pongAt = this.#env.signs.of(this.#session.connection)?.pongAt;
    return {
      lastFrameAgeMs: this.#activity.frameAgeMs(now),
      lastPongAgeMs: pongAt === undefined ? undefined : Math.round(now - pongAt),
      roundTripMs,
      bufferedBytes: this.buffered(),
      captured: this.#captures.shown(this.#session.connection),
    };
  }

  /** The settings of the newest attempt. */
  get resolved(): Resolved {
    return this.#sockets.resolved;
  }

  get #session(): Session {
    return this.#rotation.current;
  }

  #newTimer(): PhaseTimer {
    const timer: PhaseTimer = new PhaseTimer(
      () =>
        this.#env.work((input) => this.#advance(input), {
          type: timer === this.#timer ? "timer" : "rotationTimer",
        } as const),
      () => [...this.#arrivals.values()].some(({ isEmpty }) => !isEmpty),
    );
    return timer;
  }

  #advance(input: RotationInput): void {
    const before = this.#session;
    const now = this.#env.now();
    const context = {
      now,
      random: Math.random(),
      proof: this.#activity.proof(before.connection),
      lastActivityAt: this.#activity.heardAt,
      traffic: this.#sockets.traffic(before.connection),
      signs: this.#env.signs.of(before.connection),
      secrets: this.#secrets,
      captured: this.#captures.state,
      canResume: this.#captures.canResume,
      settings: this.resolved.settings,
    };
    const { rotation, effects } = stepRotation(this.#rotation, input, context);
    this.#rotation = rotation;
    const wasOpen = before.at.phase !== "connecting";
    for (const effect of effects) if (effect.type === "lost") this.#recordCause(effect.cause, wasOpen);
    const session = rotation.current;
    const moved = session.at.phase !== before.at.phase || session.connection !== before.connection;
    if (moved) this.#events.state(this.#state(now));
    for (const effect of effects) this.#perform(effect, now);
    if (moved && session.at.phase === "ready") this.#followAgain(session.connection);
    if (moved) this.#events.availability(availability(session), now);
  }

  /** A connection that resumed at a named address leaves it to the next one, unless another was named. */
  #followAgain(connection: number): void {
    const named = this.#namedAddress;
    if (named?.connection !== connection || !this.#captures.isResuming(connection)) return;
    if (!this.#sockets.hasNamed) this.#sockets.follow(named.url);
  }

  #recordCause(why: Disconnect, wasOpen: boolean): void {
    this.#events.ended(wasOpen, codeOf(why));
    this.#note(why);
    if (why.reason === "silent") this.#foundDeadBy = why.rung;
  }

  #note(why: Disconnect, more = ""): void {
    this.#lastError = `${describeDisconnect(why)}${more}`;
    this.#lastCause = codeOf(why);
  }

  #perform(effect: RotationEffect, now: number): void {
    switch (effect.type) {
      case "connect":
        this.#connect(effect.connection, effect.withinMs);
        break;
      case "send":
        this.#send(effect.connection, effect.frame, effect.by);
        break;
      case "forget":
        this.#captures.forget();
        break;
      case "answered":
        this.#events.answered(effect.connection, effect.id);
        break;
      case "ping":
        this.#activity.pinged(now);
        this.#sockets.ping(effect.connection, effect.proof);
        this.#events.sentOwn(now);
        break;
      case "close":
        this.#ticks.stop(effect.connection);
        this.#leave(effect.connection, effect.code, effect.withinMs, effect.farewell);
        break;
      case "destroy":
        this.#ticks.stop(effect.connection);
        this.#farewells.end(effect.connection);
        this.#sockets.destroy(effect.connection);
        break;
      case "timer":
        this.#timer.set(effect.ms, effect.isPeerDeadline);
        break;
      case "rotationTimer":
        this.#rotationTimer.set(effect.ms, effect.isPeerDeadline);
        break;
      case "promote":
        [this.#timer, this.#rotationTimer] = [this.#rotationTimer, this.#timer];
        this.#rotationTimer.set(undefined);
        break;
      case "retire":
        this.#retire(effect.connection, effect.withinMs);
        break;
      case "rotationFailed":
        this.#events.ended(false, codeOf(effect.cause));
        this.#note(effect.cause, "; the current connection stays");
        this.#events.state(this.#state(now));
        break;
      case "lost":
        this.#events.away(describeDisconnect(effect.cause));
        this.#events.resuming(this.#captures.canResume);
        this.#events.lost(effect.connection, effect.cause, now);
        break;
      case "proven":
        this.#events.proven(effect.connection, this.#activity.ponged(effect.proof, now));
        break;
      case "message":
        this.#events.message(effect.connection, effect.frame);
        break;
      case "frame":
        this.#events.frame(effect.connection, effect.frame, now);
    }
  }

  #retire(connection: number, withinMs: number): void {
    this.#ticks.stop(connection);
    this.#sockets.retire(connection, withinMs, this.#activity.proof(connection), () =>
      this.#env.work((retired) => this.#onRetirementExpired(retired), connection),
    );
    this.#events.sentOwn(this.#env.now());
    this.#events.rotated();
  }

  /** A retired connection has used up its time: the replies that it still owes do not come. */
  #onRetirementExpired(connection: number): void {
    const detail = "it was rotated out, and the reply did not come in time (reconnect.rotate.drain)";
    this.#events.lost(connection, { reason: "renewed", detail }, this.#env.now());
  }

  #connect(connection: number, withinMs: number): void {
    const arrivals = new Arrivals({
      work: this.#env.work,
      hold: () => this.#sockets.hold(connection),
      release: () => this.#sockets.release(connection),
    });
    this.#captures.onAttempt(connection);
    const isResuming = this.#captures.isResuming(connection);
    if (isResuming) this.#supersede(connection);
    if (this.#rotation.current.connection === connection) this.#events.resuming(isResuming);
    this.#arrivals.set(connection, arrivals);
    const begins = this.#captures.valuesOf(connection);
    // A named address belongs to the session that is resumed, if connections can resume.
    const follows = !this.#captures.mayResume || isResuming;
    const signs = this.#env.signs.begin(connection);
    const named = this.#sockets.open(connection, withinMs, begins, follows, {
      opened: () => {
        signs.openedAt = this.#env.now();
        this.#opened(connection);
      },
      frame: (frame) => this.#received(connection, arrivals, signs, frame),
      pingSent: (proof) => this.#advance({ type: "pingSent", connection, proof }),
      pong: (proof) => {
        signs.pongAt = this.#env.now();
        this.#pong(connection, proof);
      },
      pinged: () => this.#events.sentOwn(this.#heard(connection)),
      dropped: (drop) => arrivals.end(() => this.#dropped(connection, drop)),
    });
    this.#namedAddress = named === undefined ? undefined : { url: named, connection };
  }

  /** The upstream sends again what it has sent since: older connections must bring nothing more. */
  #supersede(connection: number): void {
    this.#resumedBy = connection;
    for (const arrivals of this.#arrivals.values()) arrivals.discard();
  }

  #opened(connection: number): void {
    const { settings } = this.resolved;
    this.#env.tape?.opened(connection, settings, this.#sockets.agreed(connection), this.#secrets);
    const fault = this.#begin(connection);
    this.#advance(
      fault === undefined ? { type: "opened", connection } : { type: "unservable", connection, detail: fault },
    );
  }

  /** @returns why the protocol cannot serve the connection; undefined if it can */
  #begin(connection: number): string | undefined {
    if (!this.#env.states) return undefined;
    this.#ticks.begin(connection);
    const begun = this.#env.states.begin(connection);
    if (typeof begun === "string") return begun;
    return this.#writeOwn(connection, begun);
  }

  #tick(connection: number): void {
    const detail = this.#writeOwn(connection, this.#env.states?.tick(connection) ?? []);
    if (detail !== undefined) this.#advance({ type: "unservable", connection, detail });
  }

  /**
   * Writes frames of the protocol's own, as far as `limits.buffered_bytes` allows.
   * @returns why one of them does not go out
   */
  #writeOwn(connection: number, frames: readonly Body[]): string | undefined {
    const { buffered_bytes: max } = this.resolved.settings.limits;
    for (const frame of frames) {
      if (frame.length > max) return "a frame of its protocol is larger than limits.buffered_bytes";
      if (this.buffered(connection) + frame.length > max)
        return "its protocol sends more than the upstream reads, and than limits.buffered_bytes";
      this.write(connection, frame);
      this.#events.sentOwn(this.#env.now());
    }
    return undefined;
  }

  #received(connection: number, arrivals: Arrivals, signs: Signs, received: Received): void {
    if (connection < this.#resumedBy) return;
    const now = this.#heard(connection);
    signs.frameAt = now;
    this.#activity.frame(now);
    const frame = received instanceof LargeText && this.#looksAtAll ? received.text : received;
    this.#env.trace?.add("received", connection, bodyOf(frame), this.#secretsWith(bodyOf(frame)), now);
    if (arrivals.isEmpty && this.#framing.isPlain(frame)) this.#frame(connection, frame, now);
    else arrivals.add(this.#takeApart(connection, frame));
  }

  /** Takes a frame apart. Everything behind this sees the messages in it as frames of their own. */
  *#takeApart(connection: number, received: Received): Handling {
    const { largeReads } = this.#env;
    const handOn = (message: Body) => this.#frame(connection, message, this.#env.now());
    const large = largeReads && {
      reads: largeReads,
      take: (skeleton: Skeleton) => this.#largeReply(connection, skeleton, this.#env.now()),
    };
    const fault = yield* this.#framing.handle(received, handOn, large);
    if (!fault) return;
    const frame = bodyOf(received);
    this.#env.tape?.frame("received", connection, frame, this.#secretsWith(frame));
    this.#events.unreadable(frame, fault.why, this.#env.now());
  }

  /** True if somebody looks at every frame besides the protocol: then a large one is text from the beginning. */
  get #looksAtAll(): boolean {
    const { trace, tape, states } = this.#env;
    return [trace, tape, states, this.#addressNamedIn].some((each) => each !== undefined) || this.#captures.looksAtAll;
  }

  #largeReply(connection: number, skeleton: Skeleton, now: number): boolean {
    return !wantsFrames(this.#sessionOf(connection), connection) && this.#events.largeReply(connection, skeleton, now);
  }

  /** The session that frames of a connection concern: of an older connection, the current one. */
  #sessionOf(connection: number): Session {
    const { current, successor } = this.#rotation;
    return successor?.connection === connection ? successor : current;
  }

  /** The secrets that hide the parts of a frame, those included that it brings. */
  #secretsWith(frame: Body): readonly string[] {
    if (!this.#captures.hasSecrets) return this.#secrets;
    const brought: string[] = [];
    const handling = this.#framing.handle(frame, (message) => brought.push(...this.#captures.secretsIn(message)));
    while (!handling.next().done);
    return joinedSecrets(this.#secrets, brought);
  }

  #frame(connection: number, frame: Body, now: number): void {
    this.#env.states?.take(connection, frame);
    const { keepalive } = this.resolved.settings;
    const isRead = !this.isBytes(frame);
    if (isRead && this.#captures.take(connection, frame, keepalive)) this.#advance({ type: "captured", connection });
    this.#env.tape?.frame("received", connection, frame, this.#secrets);
    if (isRead && this.#farewells.has(connection) && this.#isAwaited(connection, frame)) return;
    const session = this.#sessionOf(connection);
    if (isRead && session.connection === connection) this.#noteAddress(connection, frame, now);
    if (!wantsFrames(session, connection)) {
      this.#events.frame(connection, frame, now);
      return;
    }
    const origin = looksAtFrames(session) ? this.#events.originOf(connection, frame) : undefined;
    this.#advance({ type: "frame", connection, frame, origin });
  }

  /** Offers a frame to the farewell. @returns true if that has waited for it */
  #isAwaited(connection: number, frame: Body): boolean {
    const origin = this.#events.originOf(connection, frame);
    const body = seenBy("farewell", { type: "frame", connection, frame, origin });
    if (body === undefined || !this.#farewells.take(connection, body)) return false;
    if (origin?.type === "configured" && origin.isReply) this.#events.answered(connection, origin.id);
    return true;
  }

  /** Notes the address that a frame names for the next connection. A rotation that the same frame begins uses it. */
  #noteAddress(connection: number, frame: Body, now: number): void {
    const named = this.#addressNamedIn?.(frame, this.resolved.settings);
    if (named === undefined) return;
    if ("url" in named) {
      this.#sockets.follow(named.url);
    } else if (this.#unfollowedOn !== connection) {
      this.#unfollowedOn = connection;
      this.#lastError = `the address that the upstream named is not followed: ${named.why} (reconnect.to_address)`;
      this.#lastCause = undefined;
      this.#events.state(this.#state(now));
    }
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

  #dropped(connection: number, given: Disconnect): void {
    const { settings } = this.resolved;
    const drop = this.#shown(given, settings.url);
    this.#arrivals.delete(connection);
    this.#captures.onEnded(connection);
    this.#ticks.stop(connection);
    this.#farewells.end(connection);
    this.#sessionEnded.delete(connection);
    this.#env.states?.end(connection);
    this.#env.signs.end(connection);
    const close = this.#sockets.gone(connection, drop);
    this.#env.tape?.closed(connection, drop, close.by, this.#secrets);
    if (this.#close) this.#close = closedBoth(this.#close, close, connection === this.#session.connection);
    this.#advance({ type: "dropped", connection, disconnect: drop });
    if (connection !== this.#session.connection && !this.#isClosing) this.#lostOther(connection, drop);
    this.#reportClosed();
  }

  /** The end of a connection without secrets: peers repeat them. */
  #shown(drop: Disconnect, url: string): Disconnect {
    if (drop.reason === "status") return shownRefusal(drop, url, this.#secrets);
    return drop.reason === "closed" ? { ...drop, text: this.withoutSecrets(drop.text) } : drop;
  }

  /** The replies that another connection than the current one still owes, even late ones, do not come any more. */
  #lostOther(connection: number, drop: Disconnect): void {
    const why: Disconnect = this.#sockets.isRetired(connection)
      ? drop
      : { reason: "renewed", detail: "it was rotated out" };
    this.#events.lost(connection, why, this.#env.now());
  }

  /** True once the exit closes the connection: its pending requests are not lost, but cancelled by the next step. */
  get #isClosing(): boolean {
    return this.#session.at.phase === "closing" || this.#session.at.phase === "closed";
  }

  #reportClosed(): void {
    if (!this.#close || this.#sockets.size > 0) return;
    this.#events.closed(this.#close);
    this.#close = undefined;
  }

  #state(now: number): UpstreamState {
    const { at, failures } = this.#session;
    const retryInMs = "until" in at ? Math.max(0, Math.round(at.until - now)) : undefined;
    return {
      phase: at.phase,
      attempts: failures,
      lastError: this.#lastError,
      lastCause: this.#lastCause,
      foundDeadBy: this.#foundDeadBy,
      retryInMs,
    };
  }
}

function namingOf({ reconnect: { to_address } }: UpstreamSettings) {
  return to_address ? addressNaming(to_address) : undefined;
}

/** The current connection determines the close code; any connection that had to be broken makes the close forced. */
function closedBoth(before: CloseCounts, now: CloseCounts, isCurrent: boolean): CloseCounts {
  return { ...(isCurrent ? now : before), forced: before.forced || now.forced };
}
