/** The life of one upstream connection as a pure state machine: state and input in, state and effects out. */
import type { UpstreamSettings } from "../../config/schema.ts";
import type { Failure } from "../../errors.ts";
import { matchesFrame } from "../../protocols/condition.ts";
import { textOf } from "../../protocols/json-message.ts";
import type { Expectation } from "../../protocols/preset.ts";
import type { Body, WireId } from "../../protocols/protocol.ts";
import { excerptOf } from "../../secrets.ts";
import { flat } from "../util/flat.ts";
import { ValueMissing } from "./captured-texts.ts";
import { type Captured, isResuming, valuesOf } from "./captured-values.ts";
import { codeOf, type Disconnect, describeDisconnect } from "./disconnect.ts";
import type { ConfiguredBy, FrameOrigin } from "./frame-origin.ts";
import { greetingFrame, heartbeatFrame, isStepOf, keepaliveWith, matchStep } from "./greeting.ts";
import {
  type Keepalive,
  type Ladder,
  newLadder,
  nextDue,
  rungTimeoutMs,
  type Traffic,
  wasSuspended,
  withBytesMoved,
  withHeartbeatInterval,
  withHeartbeatReply,
  withHeartbeatSent,
  withPing,
  withPingSent,
  withPong,
} from "./liveness.ts";
import {
  decideRetry,
  decideRetryAfterService,
  disconnectWhileGreeting,
  type RetryDecision,
  retryDelay,
} from "./retry.ts";
import { lastSigns, type Signs } from "./signs-of-life.ts";

/**
 * Every attempt gets its own connection number; input from any other connection is stale and ignored.
 * A phase has at most one timer, set for the nearest of its deadlines; the timer dies with the phase.
 */
export type Phase =
  | { readonly phase: "idle" }
  | { readonly phase: "connecting"; readonly connection: number }
  /** The socket is open, and the expect step at index `step` of the greeting awaits its frame. */
  | Greeting
  | Ready
  /** Between attempts; the next one is due at `until`. */
  | { readonly phase: "waiting"; readonly until: number; readonly cause: Disconnect }
  /** A quick retry would be pointless; the next attempt is due at `until`, much later. */
  | { readonly phase: "refused"; readonly until: number; readonly cause: Disconnect }
  /** The close handshake is under way; no attempt follows. */
  | { readonly phase: "closing"; readonly connection: number }
  | { readonly phase: "closed" };

interface Greeting {
  readonly phase: "greeting";
  readonly connection: number;
  readonly step: number;
  /** The last frame that came and did not match. */
  readonly last?: Body | undefined;
}

interface Ready {
  readonly phase: "ready";
  readonly connection: number;
  readonly since: number;
  /** A frame or the pong of a ping has come. */
  readonly hasTraffic: boolean;
  readonly ladder: Ladder;
}

export interface Session {
  readonly at: Phase;
  /** The number of the newest attempt's connection; each is used once. */
  readonly connection: number;
  /** Failed attempts since the upstream last proved itself by real traffic on a connection that lasted. */
  readonly failures: number;
  /** Connections in a row that served, and ended before they were as old as the longest backoff. */
  readonly flaps: number;
  /** When the last connection that was ready ended, or was left. */
  readonly readyUntil?: number | undefined;
}

/** A frame arrived; required only where {@link wantsFrames} is true. */
interface FrameInput {
  readonly type: "frame";
  readonly connection: number;
  readonly frame: Body;
  /** Required only where {@link looksAtFrames} is true. */
  readonly origin?: FrameOrigin | undefined;
}

export type SessionInput =
  | { readonly type: "start" }
  | { readonly type: "opened"; readonly connection: number }
  /** The connection's socket has ended, or could not be opened. */
  | { readonly type: "dropped"; readonly connection: number; readonly disconnect: Disconnect }
  | FrameInput
  /** The operating system has taken the ping with this proof. */
  | { readonly type: "pingSent"; readonly connection: number; readonly proof: string }
  | { readonly type: "pong"; readonly connection: number; readonly proof: string }
  /** The phase's timer fired. */
  | { readonly type: "timer" }
  /** A value that the heartbeat needs has come, or has changed. */
  | { readonly type: "captured"; readonly connection: number }
  /** Ping now: a request awaits proof of delivery. */
  | { readonly type: "probe" }
  /** Replace this connection by a new one. */
  | { readonly type: "renew"; readonly detail: string }
  /** The settings have changed. `anew`: an attempt by the former ones, or the pause after one, is pointless. */
  | { readonly type: "settings"; readonly anew: boolean }
  /** Close for good and abort any attempt. Repeat with 0 to destroy a socket that is still closing. */
  | { readonly type: "close"; readonly withinMs: number };

export type SessionEffect =
  | { readonly type: "connect"; readonly connection: number; readonly withinMs: number }
  /** Send a frame of the configuration. If it carries an id, it gets one of ours. */
  | { readonly type: "send"; readonly connection: number; readonly frame: string; readonly by: ConfiguredBy }
  /** The reply to the frame of the configuration that has this id on the wire met its condition. */
  | { readonly type: "answered"; readonly connection: number; readonly id: WireId }
  | { readonly type: "ping"; readonly connection: number; readonly proof: string }
  /** Start the close handshake; destroy the socket if it takes longer than `withinMs`. */
  | { readonly type: "close"; readonly connection: number; readonly code: number; readonly withinMs: number }
  | { readonly type: "destroy"; readonly connection: number }
  /** Set the one timer; undefined clears it. `isPeerDeadline`: the peer counts as dead if nothing arrives first. */
  | { readonly type: "timer"; readonly ms: number | undefined; readonly isPeerDeadline?: true }
  /** Forget the values that are kept for the next connection: it begins anew. */
  | { readonly type: "forget" }
  /** Requests on this connection will receive no further replies. */
  | { readonly type: "lost"; readonly connection: number; readonly cause: Disconnect }
  /** The upstream has received everything written before the ping with this proof. */
  | { readonly type: "proven"; readonly connection: number; readonly proof: string }
  /** A frame that arrived during the greeting without being part of it: no request can have been sent yet. */
  | { readonly type: "message"; readonly frame: Body }
  /** A frame that does not concern the session: it may be a reply. */
  | { readonly type: "frame"; readonly connection: number; readonly frame: Body };

/** The clock, randomness and settings that the machine needs but must not access by itself. */
export interface SessionContext {
  /** Milliseconds of a monotonic clock. */
  readonly now: number;
  /** A number in [0, 1). */
  readonly random: number;
  /** The proof that a ping sent now would carry. Never the same twice. */
  readonly proof: string;
  /** When the peer last sent a frame or a ping, by the clock of `now`. */
  readonly lastActivityAt: number;
  /** The byte counts of the current connection. */
  readonly traffic: Traffic;
  /** The signs of life of the current connection, for the description of its end. */
  readonly signs?: Readonly<Signs> | undefined;
  /** Texts that must not be shown. */
  readonly secrets: readonly string[];
  readonly captured: Captured;
  /** True if the next connection can go on where this one ends. */
  readonly canResume: boolean;
  readonly settings: Pick<UpstreamSettings, "connect_within" | "greeting" | "keepalive" | "reconnect" | "close_code">;
}

/** The context with the captured values of the session's connection in the heartbeat. */
interface StepContext extends SessionContext {
  readonly settings: Omit<SessionContext["settings"], "keepalive"> & { readonly keepalive: Keepalive };
}

export interface Transition {
  readonly session: Session;
  readonly effects: readonly SessionEffect[];
}

export const newSession: Session = { at: { phase: "idle" }, connection: 0, failures: 0, flaps: 0 };

/** The longest delay of a timer on either runtime, in milliseconds; with a longer one it fires at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/**
 * The age at which a connection with real traffic has served, in milliseconds. One that says hello and ends at once has
 * not: outages, full servers and sessions taken over by another client look like that, and end within a second.
 */
const SERVED_MS = 2_000;

/** How long a replaced connection may take for its close handshake, in milliseconds. */
export const RENEW_CLOSE_MS = 2_000;

/** The failed greetings after which an attempt no longer tries to resume: the upstream may have forgotten us. */
const RESUMES_MAX = 3;

const CLEAR_TIMER: SessionEffect = { type: "timer", ms: undefined };

export function step(before: Session, input: SessionInput, context: SessionContext): Transition {
  const { session, effects } = transition(before, input, context);
  if (before.at.phase !== "ready" || session.at.phase === "ready") return { session, effects };
  return { session: { ...session, readyUntil: context.now }, effects };
}

function transition(session: Session, input: SessionInput, given: SessionContext): Transition {
  const { at } = session;
  const values = valuesOf(given.captured, session.connection);
  const keepalive = keepaliveWith(given.settings.keepalive, values);
  const context: StepContext = { ...given, settings: { ...given.settings, keepalive } };
  if ("connection" in input && !("connection" in at && at.connection === input.connection)) return stay(session);
  switch (input.type) {
    case "start":
      return at.phase === "idle" ? connect(session, context) : stay(session);
    case "opened":
      return at.phase === "connecting" ? greet(session, input.connection, 0, context) : stay(session);
    case "dropped":
      // Not `lost`: the exit's next step cancels the requests that are still pending.
      if (at.phase === "closing") return { session: { ...session, at: { phase: "closed" } }, effects: [] };
      return onDropped(session, input.connection, input.disconnect, context);
    case "frame":
      if (at.phase === "greeting") return onGreetingFrame(session, at, input, context);
      return onTraffic(session, input, context);
    case "pingSent":
      return onPingSent(session, input.proof, context);
    case "pong":
      return onPong(session, input.proof, context);
    case "timer":
      return onTimer(session, context);
    case "captured":
      return onCaptured(session, context);
    case "probe":
      if (at.phase !== "ready" || at.ladder.ping.awaits || context.settings.keepalive.ping === null)
        return stay(session);
      return ping(session, at, context);
    case "renew":
      return renew(session, input.detail, context);
    case "settings":
      return onSettings(session, input.anew, context);
    case "close":
      return close(session, input.withinMs, context);
  }
}

/** Reports whether frames of this connection must pass through the session. Most need not, and skip its cost. */
export function wantsFrames(session: Session, connection: number): boolean {
  const { at } = session;
  if (!("connection" in at) || at.connection !== connection) return false;
  return looksAtFrames(session) || (at.phase === "ready" && !at.hasTraffic);
}

/** Reports whether the current connection's frames may meet a condition of the greeting or the heartbeat. */
export function looksAtFrames({ at }: Session): boolean {
  return at.phase === "greeting" || (at.phase === "ready" && at.ladder.heartbeat.awaitsReply);
}

function stay(session: Session): Transition {
  return { session, effects: [] };
}

function connect(session: Session, { settings }: StepContext, before: readonly SessionEffect[] = []): Transition {
  const connection = session.connection + 1;
  return {
    session: { ...session, connection, at: { phase: "connecting", connection } },
    effects: [...before, CLEAR_TIMER, { type: "connect", connection, withinMs: settings.connect_within }],
  };
}

/** Continues the greeting at step `from`: sends frames up to the next expect step. `reply`: the frame last expected. */
function greet(
  session: Session,
  connection: number,
  from: number,
  context: StepContext,
  reply?: Body,
  before: readonly SessionEffect[] = [],
): Transition {
  const { settings, now, captured } = context;
  const effects = [...before];
  const resumes = isResuming(captured, connection);
  for (let index = from; index < settings.greeting.length; index++) {
    const greetingStep = settings.greeting[index] ?? {};
    if (!isStepOf(greetingStep, resumes)) continue;
    if ("send" in greetingStep) {
      try {
        const frame = greetingFrame(greetingStep, valuesOf(captured, connection), reply);
        effects.push({ type: "send", connection, frame, by: "greeting" });
      } catch (error) {
        if (!(error instanceof ValueMissing)) throw error;
        const detail = `step ${index + 1} cannot be sent: ${error.message}`;
        return giveUp(session, connection, { reason: "greeting", rejected: false, detail }, context, effects);
      }
    }
    if (!greetingStep.expect) continue;
    effects.push({ type: "timer", ms: greetingStep.expect.within, isPeerDeadline: true });
    return { session: { ...session, at: { phase: "greeting", connection, step: index } }, effects };
  }
  const ladder = newLadder(settings.keepalive, now);
  const at: Ready = { phase: "ready", connection, since: now, hasTraffic: false, ladder };
  return enterReady(session, at, context, effects);
}

/** Enters or stays in `ready`, with the timer set for the rung that is due next. */
function enterReady(
  session: Session,
  at: Ready,
  { now, lastActivityAt, settings }: StepContext,
  before: SessionEffect[],
): Transition {
  const due = nextDue(at.ladder, settings.keepalive, lastActivityAt);
  const ms = Math.min(TIMER_MAX_MS, Math.max(0, Math.ceil(due.at - now)));
  return {
    session: { ...session, at },
    effects: [...before, { type: "timer", ms, ...(due.isPeerDeadline && { isPeerDeadline: true }) }],
  };
}

/** Notes real traffic, without which the connection has not served. */
function onTraffic(session: Session, input: FrameInput, context: StepContext): Transition {
  const { at } = session;
  const working = at.phase === "ready" ? { ...session, at: { ...at, hasTraffic: true } } : session;
  const { heartbeat } = context.settings.keepalive;
  const expected = at.phase === "ready" && at.ladder.heartbeat.awaitsReply && heartbeat?.expect;
  const body = expected ? seenBy("heartbeat", input) : undefined;
  if (!expected || body === undefined || !matchesFrame(body, expected)) {
    return { session: working, effects: [passedOn(input)] };
  }
  const ladder = withHeartbeatReply(at.ladder, heartbeat, context.now);
  return enterReady(session, { ...at, hasTraffic: true, ladder }, context, answered(input));
}

/** The frame as a condition sees it that awaits a reply to `by`; undefined if it answers something else. */
function seenBy(by: ConfiguredBy, { frame, origin }: FrameInput): Body | undefined {
  if (origin === undefined) return frame;
  return origin.type === "configured" && origin.by === by ? origin.body : undefined;
}

function answered({ connection, origin }: FrameInput): SessionEffect[] {
  const isReply = origin?.type === "configured" && origin.isReply;
  return isReply ? [{ type: "answered", connection, id: origin.id }] : [];
}

function passedOn({ connection, frame }: FrameInput): SessionEffect {
  return { type: "frame", connection, frame };
}

function onGreetingFrame(session: Session, at: Greeting, input: FrameInput, context: StepContext): Transition {
  const { frame, origin } = input;
  const expect = expectation(at, context);
  const body = seenBy("greeting", input);
  const match = expect && body !== undefined ? matchStep({ expect }, body) : "other";
  if (match === "matched") return greet(session, at.connection, at.step + 1, context, body, answered(input));
  if (match === "other") {
    const last = body ?? frame;
    return {
      session: { ...session, at: { ...at, last } },
      effects: [origin ? passedOn(input) : { type: "message", frame }],
    };
  }
  const detail = `step ${at.step + 1} received ${flat(excerptOf(textOf(body ?? frame), context.secrets))}`;
  return giveUp(
    session,
    at.connection,
    { reason: "greeting", rejected: true, detail, class: expect?.reject?.class },
    context,
  );
}

/** The expectation of the step that the greeting is waiting at. */
function expectation({ step }: Greeting, { settings }: StepContext): Expectation | undefined {
  return settings.greeting[step]?.expect;
}

function onDropped(session: Session, connection: number, disconnect: Disconnect, context: StepContext): Transition {
  const isGreeting = session.at.phase === "greeting";
  const cause = isGreeting ? disconnectWhileGreeting(disconnect, context.settings.reconnect) : disconnect;
  return scheduleRetry(session, cause, context, [{ type: "lost", connection, cause }]);
}

/**
 * The counts when a connection ends. One that has served forgives the failures before it, so the upstream is back soon
 * after a blip. But if one after another serves only briefly, the flaps take the place of the failures: each of them
 * costs a login, and an upstream may allow few.
 */
function afterService(
  { at, failures, flaps }: Session,
  { now, settings }: StepContext,
): Pick<Session, "failures" | "flaps"> & { readonly served: boolean } {
  const age = at.phase === "ready" && at.hasTraffic ? now - at.since : 0;
  if (age < SERVED_MS) return { failures, flaps, served: false };
  return age < settings.reconnect.to
    ? { failures: flaps, flaps: flaps + 1, served: true }
    : { failures: 0, flaps: 0, served: true };
}

/** Ends the connection and decides when the next attempt is due. */
function scheduleRetry(
  session: Session,
  cause: Disconnect,
  context: StepContext,
  before: readonly SessionEffect[],
): Transition {
  const { now, random, settings } = context;
  const { failures, flaps, served } = afterService(session, context);
  const decided = served ? decideRetryAfterService(cause, settings.reconnect) : decideRetry(cause, settings.reconnect);
  const isLeft = context.canResume && isPointless(cause, decided, failures);
  // A refusal to go on says nothing about beginning anew.
  const decision: RetryDecision = isLeft ? { type: "retry", atLeastMs: 0 } : decided;
  const forgetting: readonly SessionEffect[] = isLeft ? [{ type: "forget" }] : [];
  const delay = Math.min(retryDelay(decision, failures, settings.reconnect, random), TIMER_MAX_MS);
  const phase = decision.type === "refuse" ? "refused" : "waiting";
  return {
    session: { ...session, failures: failures + 1, flaps, at: { phase, until: now + delay, cause } },
    effects: [...before, ...forgetting, { type: "timer", ms: delay }],
  };
}

/** True if another attempt to resume would probably end the same way. */
function isPointless(cause: Disconnect, decision: RetryDecision, failures: number): boolean {
  if (decision.type === "refuse") return true;
  return cause.reason === "greeting" && !cause.rejected && failures + 1 >= RESUMES_MAX;
}

/** Destroys the socket and schedules the next attempt. */
function giveUp(
  session: Session,
  connection: number,
  cause: Disconnect,
  context: StepContext,
  before: readonly SessionEffect[] = [],
): Transition {
  return scheduleRetry(session, cause, context, [
    ...before,
    { type: "destroy", connection },
    { type: "lost", connection, cause },
  ]);
}

function ping(session: Session, at: Ready, context: StepContext): Transition {
  const { proof, now, settings, traffic } = context;
  const { connection } = at;
  const ladder = withPing(at.ladder, proof, settings.keepalive, traffic, now);
  return enterReady(session, { ...at, ladder }, context, [{ type: "ping", connection, proof }]);
}

function onPingSent(session: Session, proof: string, context: StepContext): Transition {
  const { at } = session;
  if (at.phase !== "ready" || at.ladder.ping.proof !== proof || !at.ladder.ping.awaits) return stay(session);
  const ladder = withPingSent(at.ladder, context.settings.keepalive, context.traffic, context.now);
  return enterReady(session, { ...at, ladder }, context, []);
}

function onPong(session: Session, proof: string, context: StepContext): Transition {
  const { at } = session;
  if (at.phase !== "ready" || at.ladder.ping.proof === undefined) return stay(session);
  const { keepalive } = context.settings;
  if (at.ladder.ping.proof !== proof) {
    const ladder = withPong(at.ladder, keepalive, context.now, at.ladder.ping.proof);
    return enterReady(session, { ...at, ladder }, context, []);
  }
  const ladder = withPong(at.ladder, keepalive, context.now);
  const then = enterReady(session, { ...at, hasTraffic: true, ladder }, context, []);
  // `proven` comes last: its handler may request the next ping at once.
  return { ...then, effects: [...then.effects, { type: "proven", connection: at.connection, proof }] };
}

/** Acts on the rung that is due: sends its ping or heartbeat, or gives up on the peer. */
function onRungDue(session: Session, at: Ready, context: StepContext): Transition {
  const { now, lastActivityAt, settings, traffic } = context;
  const { keepalive } = settings;
  const due = nextDue(at.ladder, keepalive, lastActivityAt);
  if (due.at > now) return enterReady(session, at, context, []);
  if (due.isPeerDeadline) {
    const moved = withBytesMoved(at.ladder, due, keepalive, traffic, now);
    if (moved) return enterReady(session, { ...at, ladder: moved }, context, []);
    // We were suspended, so the missed deadline proves nothing: restart the ladder with a ping.
    if (wasSuspended(due, now)) return restartLadder(session, at, context);
    const withinMs = rungTimeoutMs(due.rung, keepalive);
    const heard = context.signs && lastSigns(context.signs, now, keepalive.ping !== null);
    return giveUp(session, at.connection, { reason: "silent", rung: due.rung, withinMs, heard }, context);
  }
  if (due.rung === "ping" || keepalive.heartbeat === null) return ping(session, at, context);
  const frame = heartbeatFrame(keepalive.heartbeat, valuesOf(context.captured, at.connection));
  const ladder = withHeartbeatSent(at.ladder, keepalive.heartbeat, traffic, now);
  return enterReady(session, { ...at, ladder }, context, [
    { type: "send", connection: at.connection, frame, by: "heartbeat" },
  ]);
}

function onCaptured(session: Session, context: StepContext): Transition {
  const { at } = session;
  const { heartbeat } = context.settings.keepalive;
  if (at.phase !== "ready" || heartbeat === null) return stay(session);
  return enterReady(session, { ...at, ladder: withHeartbeatInterval(at.ladder, heartbeat, context.now) }, context, []);
}

/** Begins the ladder again, with a ping. */
function restartLadder(session: Session, before: Ready, context: StepContext): Transition {
  const { keepalive } = context.settings;
  const at = { ...before, ladder: newLadder(keepalive, context.now) };
  return keepalive.ping === null ? enterReady(session, at, context, []) : ping(session, at, context);
}

function onTimer(session: Session, context: StepContext): Transition {
  const { at } = session;
  switch (at.phase) {
    case "waiting":
    case "refused":
      return connect(session, context);
    case "greeting": {
      const within = expectation(at, context)?.within ?? 0;
      const last =
        at.last === undefined ? "" : `; the last frame was ${flat(excerptOf(textOf(at.last), context.secrets))}`;
      const detail = `step ${at.step + 1} received no matching frame within ${within} ms${last}`;
      return giveUp(session, at.connection, { reason: "greeting", rejected: false, detail }, context);
    }
    case "ready":
      return onRungDue(session, at, context);
    default:
      return stay(session);
  }
}

function renew(session: Session, detail: string, context: StepContext): Transition {
  const { at } = session;
  const { close_code: code } = context.settings;
  if (at.phase !== "ready") return stay(session);
  const cause: Disconnect = { reason: "renewed", detail };
  const left: SessionEffect[] = [
    { type: "lost", connection: at.connection, cause },
    { type: "close", connection: at.connection, code, withinMs: RENEW_CLOSE_MS },
  ];
  // The first renewal comes at once. If one connection after another must be renewed, they back off like any other end.
  const { failures, flaps } = afterService(session, context);
  if (failures > 0) return scheduleRetry(session, cause, context, left);
  return connect({ ...session, failures: 1, flaps }, context, left);
}

/** An open connection stays, and is checked by the new settings from here on. */
function onSettings(session: Session, anew: boolean, context: StepContext): Transition {
  const { at } = session;
  const fresh: Session = { ...session, failures: 0, flaps: 0 };
  switch (at.phase) {
    case "ready":
      return restartLadder(session, at, context);
    case "connecting":
    case "greeting": {
      if (!anew) return stay(session);
      const { connection } = at;
      const cause: Disconnect = { reason: "renewed", detail: "its settings have changed" };
      return connect(fresh, context, [
        { type: "destroy", connection },
        { type: "lost", connection, cause },
      ]);
    }
    case "waiting":
    case "refused":
      return anew ? connect(fresh, context) : stay(session);
    default:
      return stay(session);
  }
}

function close(session: Session, withinMs: number, { settings }: StepContext): Transition {
  const { at } = session;
  const closeConnection = (connection: number): SessionEffect => {
    return { type: "close", connection, code: settings.close_code, withinMs };
  };
  switch (at.phase) {
    case "ready":
    case "greeting":
      return {
        session: { ...session, at: { phase: "closing", connection: at.connection } },
        effects: [CLEAR_TIMER, closeConnection(at.connection)],
      };
    case "closing":
      return { session, effects: [closeConnection(at.connection)] };
    case "connecting":
      return {
        session: { ...session, at: { phase: "closed" } },
        effects: [{ type: "destroy", connection: at.connection }],
      };
    default:
      return { session: { ...session, at: { phase: "closed" } }, effects: [CLEAR_TIMER] };
  }
}

/** The state of the connection as a request sees it: ready to write to, worth waiting for, or down. */
export type Availability =
  | { readonly type: "ready"; readonly connection: number }
  | { readonly type: "hold" }
  | {
      readonly type: "down";
      readonly failure: Omit<Failure, "sent" | "retryAfterMs">;
      readonly until?: number;
      /** Undefined once no attempt follows. */
      readonly service?: PastService;
    };

/** The past service of an upstream that is down. */
export interface PastService {
  /** When it was last ready, by the monotonic clock; undefined if it never was. */
  readonly readyUntil: number | undefined;
  readonly attempts: number;
}

export function availability({ at, readyUntil, connection }: Session): Availability {
  const service = { readyUntil, attempts: connection };
  switch (at.phase) {
    case "ready":
      return { type: "ready", connection: at.connection };
    case "idle":
    case "connecting":
    case "greeting":
      return { type: "hold" };
    case "waiting":
      // We left the connection ourselves, so the upstream is not down: requests may wait for the next one.
      if (at.cause.reason === "renewed") return { type: "hold" };
      return {
        type: "down",
        failure: { code: "upstream_down", detail: describeDisconnect(at.cause), cause: codeOf(at.cause) },
        until: at.until,
        service,
      };
    case "refused": {
      const code = at.cause.reason === "greeting" ? "login_refused" : "upstream_down";
      const failure = { code, detail: describeDisconnect(at.cause), cause: codeOf(at.cause) } as const;
      return { type: "down", failure, until: at.until, service };
    }
    case "closing":
    case "closed":
      return {
        type: "down",
        failure: { code: "shutting_down", detail: "the connection is closing and will not be reopened" },
      };
  }
}
