import type { UpstreamSettings } from "../../config/schema.ts";
import type { Failure } from "../../errors.ts";
import { matchesFrame } from "../../protocols/condition.ts";
import type { Body } from "../../protocols/protocol.ts";
import { aroundInterval, fullJitter } from "../util/backoff.ts";
import { type Disconnect, describeDisconnect, judge, ungreeted } from "./disconnect.ts";
import { greetingFrame, matchStep } from "./greeting.ts";
import { answered, beaten, firstLadder, type Ladder, nearest, patience, pinged, ponged, slept } from "./liveness.ts";

/**
 * The life of one upstream connection, as a pure state machine: state and input in, state and effects out.
 * Every attempt has an connection of its own; what a socket of another connection says is stale and changes nothing.
 * There is at most one timer, for the nearest of the phase's deadlines, and it dies with the phase.
 */
export type Phase =
  | { readonly phase: "idle" }
  | { readonly phase: "connecting"; readonly connection: number }
  /** The socket is open; step number `step` of the greeting is being waited for. */
  | { readonly phase: "greeting"; readonly connection: number; readonly step: number }
  | Ready
  /** Between attempts; the next one at `until`. */
  | { readonly phase: "waiting"; readonly until: number; readonly why: Disconnect }
  /** Trying again soon would be wrong; the next attempt, all the same, at `until`. */
  | { readonly phase: "refused"; readonly until: number; readonly why: Disconnect }
  /** A close handshake is on its way, and nothing comes after it. */
  | { readonly phase: "closing"; readonly connection: number }
  | { readonly phase: "closed" };

interface Ready {
  readonly phase: "ready";
  readonly connection: number;
  readonly ladder: Ladder;
}

export interface Session {
  readonly at: Phase;
  /** The connection of the newest attempt; each is used once. */
  readonly connection: number;
  /** Attempts that failed since the upstream last proved itself by real traffic. */
  readonly failures: number;
}

export type SessionInput =
  | { readonly type: "start" }
  | { readonly type: "opened"; readonly connection: number }
  /** The socket of this connection is over, or never came to be. */
  | { readonly type: "dropped"; readonly connection: number; readonly drop: Disconnect }
  /** A frame came in: needed wherever {@link listens} says so. */
  | { readonly type: "frame"; readonly connection: number; readonly frame: Body }
  | { readonly type: "pong"; readonly connection: number; readonly proof: string }
  /** The phase's timer fired. */
  | { readonly type: "timer" }
  /** Ping now: somebody waits for a proof. */
  | { readonly type: "probe" }
  /** Leave this connection for a new one. */
  | { readonly type: "renew"; readonly detail: string }
  /** The end: close what is open, stop what is under way. Once more with 0 to break what is still closing. */
  | { readonly type: "close"; readonly withinMs: number };

export type SessionEffect =
  | { readonly type: "connect"; readonly connection: number; readonly withinMs: number }
  | { readonly type: "send"; readonly connection: number; readonly frame: string }
  | { readonly type: "ping"; readonly connection: number; readonly proof: string }
  /** Begin the close handshake; break the socket when it is not done in time. */
  | { readonly type: "close"; readonly connection: number; readonly code: number; readonly withinMs: number }
  | { readonly type: "destroy"; readonly connection: number }
  /** Set the one timer; undefined clears it. `blames`: when it fires the peer is held for dead, if nothing came in. */
  | { readonly type: "timer"; readonly ms: number | undefined; readonly blames?: true }
  /** The requests on this connection's socket will get no reply any more. */
  | { readonly type: "lost"; readonly connection: number; readonly why: Disconnect }
  /** The upstream proved that it has what was written before the ping with this proof. */
  | { readonly type: "proven"; readonly connection: number; readonly proof: string }
  /** A frame that came during the greeting and is not part of it: nothing can have been asked yet. */
  | { readonly type: "message"; readonly frame: Body }
  /** A frame that is none of the session's business: it may be a reply. */
  | { readonly type: "frame"; readonly connection: number; readonly frame: Body };

/** What the machine needs to know but must not reach for: the clock, chance, and the settings. */
export interface SessionContext {
  /** Milliseconds of a monotonic clock. */
  readonly now: number;
  /** A number in [0, 1). */
  readonly random: number;
  /** What the pong of a ping sent now would prove. Never the same twice. */
  readonly proof: string;
  /** When the peer last said something of its own, by the clock of `now`: a message, or a ping. */
  readonly heardAt: number;
  readonly settings: Pick<UpstreamSettings, "connect_within" | "greeting" | "keepalive" | "reconnect" | "close_code">;
}

export interface Transition {
  readonly session: Session;
  readonly effects: readonly SessionEffect[];
}

export const newSession: Session = { at: { phase: "idle" }, connection: 0, failures: 0 };

/** The longest that a timer of either runtime waits, in milliseconds: asked for more, it fires at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** How long an old socket may take to close behind the back of its successor, in milliseconds. */
export const RENEW_CLOSE_MS = 2_000;

export function step(session: Session, input: SessionInput, context: SessionContext): Transition {
  const { at } = session;
  if ("connection" in input && !("connection" in at && at.connection === input.connection))
    return { session, effects: [] };
  switch (input.type) {
    case "start":
      return at.phase === "idle" ? connect(session, context) : stay(session);
    case "opened":
      return at.phase === "connecting" ? greet(session, input.connection, 0, context) : stay(session);
    case "dropped":
      // What is still pending when we close for good is not lost but cancelled: by the step after this one.
      if (at.phase === "closing") return { session: { ...session, at: { phase: "closed" } }, effects: [] };
      return onDropped(session, input.connection, input.drop, context);
    case "frame":
      if (at.phase === "greeting") return onGreetingFrame(session, at, input.frame, context);
      return onTraffic(session, input.connection, input.frame, context);
    case "pong":
      return onPong(session, input.proof, context);
    case "timer":
      return onTimer(session, context);
    case "probe":
      if (at.phase !== "ready" || at.ladder.ping.proof !== undefined) return stay(session);
      return ping(session, at, context);
    case "renew":
      return renew(session, input.detail, context);
    case "close":
      return close(session, input.withinMs, context);
  }
}

/** Whether a frame of this connection is for the session to see first. Most are not, and need not pay for it. */
export function listens({ at, failures }: Session, connection: number): boolean {
  if (!("connection" in at) || at.connection !== connection) return false;
  return at.phase === "greeting" || failures > 0 || (at.phase === "ready" && at.ladder.heartbeat.asked);
}

function stay(session: Session): Transition {
  return { session, effects: [] };
}

function connect(session: Session, { settings }: SessionContext, before: readonly SessionEffect[] = []): Transition {
  const connection = session.connection + 1;
  return {
    session: { ...session, connection, at: { phase: "connecting", connection } },
    effects: [
      ...before,
      { type: "timer", ms: undefined },
      { type: "connect", connection, withinMs: settings.connect_within },
    ],
  };
}

/**
 * Goes on with the greeting from step `from`, after what was `heard`: sends what there is to send, until something must
 * be waited for.
 */
function greet(session: Session, connection: number, from: number, context: SessionContext, heard?: Body): Transition {
  const { settings, now: openedAt } = context;
  const effects: SessionEffect[] = [];
  for (let index = from; index < settings.greeting.length; index++) {
    const now = settings.greeting[index];
    if (now && "expect" in now) {
      effects.push({ type: "timer", ms: now.expect.within, blames: true });
      return { session: { ...session, at: { phase: "greeting", connection, step: index } }, effects };
    }
    if (now) effects.push({ type: "send", connection, frame: greetingFrame(now, heard) });
  }
  const at: Ready = { phase: "ready", connection, ladder: firstLadder(settings.keepalive, openedAt) };
  return enterReady(session, at, context, effects);
}

/** Ready, with one timer for whatever is due next. */
function enterReady(
  session: Session,
  at: Ready,
  { now, heardAt, settings }: SessionContext,
  before: SessionEffect[],
): Transition {
  const due = nearest(at.ladder, settings.keepalive, heardAt);
  const ms = Math.max(0, Math.ceil(due.at - now));
  return {
    session: { ...session, at },
    effects: [...before, { type: "timer", ms, ...(due.blames && { blames: true }) }],
  };
}

/** Real traffic: the upstream works. */
function onTraffic(session: Session, connection: number, frame: Body, context: SessionContext): Transition {
  const { at } = session;
  const working = { ...session, failures: 0 };
  const { heartbeat } = context.settings.keepalive;
  const asked = at.phase === "ready" && at.ladder.heartbeat.asked && heartbeat?.expect;
  if (!asked || !matchesFrame(frame, asked)) {
    return { session: working, effects: [{ type: "frame", connection, frame }] };
  }
  return enterReady(working, { ...at, ladder: answered(at.ladder, heartbeat, context.now) }, context, []);
}

function onGreetingFrame(
  session: Session,
  at: Extract<Phase, { phase: "greeting" }>,
  frame: Body,
  context: SessionContext,
): Transition {
  const waitedFor = context.settings.greeting[at.step];
  const heard = waitedFor && "expect" in waitedFor ? matchStep(waitedFor, frame) : "other";
  if (heard === "matched") return greet(session, at.connection, at.step + 1, context, frame);
  if (heard === "other") return { session, effects: [{ type: "message", frame }] };
  return giveUp(session, at.connection, { reason: "greeting", rejected: true, detail: `step ${at.step + 1}` }, context);
}

function onDropped(session: Session, connection: number, drop: Disconnect, context: SessionContext): Transition {
  const why = session.at.phase === "greeting" ? ungreeted(drop, context.settings.reconnect) : drop;
  return scheduleRetry(session, why, context, [{ type: "lost", connection, why }]);
}

/** The connection is over: decides when the next attempt is due. */
function scheduleRetry(
  session: Session,
  why: Disconnect,
  context: SessionContext,
  before: readonly SessionEffect[],
): Transition {
  const { now, random, settings } = context;
  const verdict = judge(why, settings.reconnect);
  const wanted =
    verdict.type === "refuse"
      ? aroundInterval(settings.reconnect.refused, random)
      : verdict.atLeastMs + fullJitter(session.failures, settings.reconnect.from, settings.reconnect.to, random);
  const delay = Math.min(wanted, TIMER_MAX_MS);
  const phase = verdict.type === "refuse" ? "refused" : "waiting";
  return {
    session: { ...session, failures: session.failures + 1, at: { phase, until: now + delay, why } },
    effects: [...before, { type: "timer", ms: delay }],
  };
}

/** Breaks the socket ourselves, and falls. */
function giveUp(session: Session, connection: number, why: Disconnect, context: SessionContext): Transition {
  return scheduleRetry(session, why, context, [
    { type: "destroy", connection },
    { type: "lost", connection, why },
  ]);
}

function ping(session: Session, at: Ready, context: SessionContext): Transition {
  const { proof, now, settings } = context;
  const { connection } = at;
  const ladder = pinged(at.ladder, proof, settings.keepalive, now);
  return enterReady(session, { ...at, ladder }, context, [{ type: "ping", connection, proof }]);
}

function onPong(session: Session, proof: string, context: SessionContext): Transition {
  const { at } = session;
  if (at.phase !== "ready" || at.ladder.ping.proof !== proof) return stay(session);
  const ladder = ponged(at.ladder, context.settings.keepalive, context.now);
  const then = enterReady({ ...session, failures: 0 }, { ...at, ladder }, context, []);
  // Last: whoever hears of it may ask for the next ping at once.
  return { ...then, effects: [...then.effects, { type: "proven", connection: at.connection, proof }] };
}

/** The moment of one rung has come: asks what there is to be asked, or gives the peer up. */
function onRungDue(session: Session, at: Ready, context: SessionContext): Transition {
  const { now, heardAt, settings } = context;
  const { keepalive } = settings;
  const due = nearest(at.ladder, keepalive, heardAt);
  if (due.at > now) return enterReady(session, at, context, []);
  if (due.blames) {
    // It was us who did not look: everything begins anew, with a ping to know soon.
    if (slept(due, now)) return ping(session, { ...at, ladder: firstLadder(keepalive, now) }, context);
    const withinMs = patience(due.rung, keepalive);
    return giveUp(session, at.connection, { reason: "silent", rung: due.rung, withinMs }, context);
  }
  if (due.rung === "ping" || keepalive.heartbeat === null) return ping(session, at, context);
  const beat: SessionEffect = { type: "send", connection: at.connection, frame: greetingFrame(keepalive.heartbeat) };
  return enterReady(session, { ...at, ladder: beaten(at.ladder, keepalive.heartbeat, now) }, context, [beat]);
}

function onTimer(session: Session, context: SessionContext): Transition {
  const { at } = session;
  const { greeting } = context.settings;
  switch (at.phase) {
    case "waiting":
    case "refused":
      return connect(session, context);
    case "greeting": {
      const waitedFor = greeting[at.step];
      const within = waitedFor && "expect" in waitedFor ? waitedFor.expect.within : 0;
      const detail = `step ${at.step + 1} heard nothing that matches within ${within} ms`;
      return giveUp(session, at.connection, { reason: "greeting", rejected: false, detail }, context);
    }
    case "ready":
      return onRungDue(session, at, context);
    default:
      return stay(session);
  }
}

function renew(session: Session, detail: string, context: SessionContext): Transition {
  const { at } = session;
  if (at.phase !== "ready") return stay(session);
  return connect(session, context, [
    { type: "lost", connection: at.connection, why: { reason: "renewed", detail } },
    { type: "close", connection: at.connection, code: 1000, withinMs: RENEW_CLOSE_MS },
  ]);
}

function close(session: Session, withinMs: number, { settings }: SessionContext): Transition {
  const { at } = session;
  const quiet: SessionEffect = { type: "timer", ms: undefined };
  switch (at.phase) {
    case "ready":
    case "greeting":
      return {
        session: { ...session, at: { phase: "closing", connection: at.connection } },
        effects: [quiet, { type: "close", connection: at.connection, code: settings.close_code, withinMs }],
      };
    case "closing":
      return {
        session,
        effects: [{ type: "close", connection: at.connection, code: settings.close_code, withinMs }],
      };
    case "connecting":
      return {
        session: { ...session, at: { phase: "closed" } },
        effects: [{ type: "destroy", connection: at.connection }],
      };
    default:
      return { session: { ...session, at: { phase: "closed" } }, effects: [quiet] };
  }
}

/** What a request finds: a socket to be written to, a promise of one, or neither. */
export type Availability =
  | { readonly type: "ready"; readonly connection: number }
  | { readonly type: "hold" }
  | { readonly type: "down"; readonly failure: Omit<Failure, "sent" | "retryAfterMs">; readonly until?: number };

export function availability({ at }: Session): Availability {
  switch (at.phase) {
    case "ready":
      return { type: "ready", connection: at.connection };
    case "idle":
    case "connecting":
    case "greeting":
      return { type: "hold" };
    case "waiting":
      return { type: "down", failure: { code: "upstream_down", detail: describeDisconnect(at.why) }, until: at.until };
    case "refused": {
      const code = at.why.reason === "greeting" ? "login_refused" : "upstream_down";
      return { type: "down", failure: { code, detail: describeDisconnect(at.why) }, until: at.until };
    }
    case "closing":
    case "closed":
      return { type: "down", failure: { code: "shutting_down", detail: "the connection is being closed for good" } };
  }
}
