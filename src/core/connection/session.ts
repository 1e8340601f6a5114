import type { UpstreamSettings } from "../../config/schema.ts";
import type { Failure } from "../../errors.ts";
import type { Body } from "../../protocols/protocol.ts";
import { aroundInterval, fullJitter } from "../util/backoff.ts";
import { type Drop, describeDrop, judge, ungreeted } from "./disconnect.ts";
import { answer, greetingFrame, matchesFrame } from "./greeting.ts";
import { answered, beaten, firstLadder, type Ladder, nearest, patience, pinged, ponged, slept } from "./liveness.ts";

/**
 * The life of one upstream connection, as a pure state machine: state and input in, state and effects out.
 * Every attempt has an epoch of its own; what a socket of another epoch says is stale and changes nothing.
 * There is at most one timer, for the nearest of the phase's deadlines, and it dies with the phase.
 */
export type Phase =
  | { readonly phase: "idle" }
  | { readonly phase: "connecting"; readonly epoch: number }
  /** The socket is open; step number `step` of the greeting is being waited for. */
  | { readonly phase: "greeting"; readonly epoch: number; readonly step: number }
  | Ready
  /** Between attempts; the next one at `until`. */
  | { readonly phase: "waiting"; readonly until: number; readonly why: Drop }
  /** Trying again soon would be wrong; the next attempt, all the same, at `until`. */
  | { readonly phase: "refused"; readonly until: number; readonly why: Drop }
  /** A close handshake is on its way, and nothing comes after it. */
  | { readonly phase: "closing"; readonly epoch: number }
  | { readonly phase: "closed" };

interface Ready {
  readonly phase: "ready";
  readonly epoch: number;
  readonly ladder: Ladder;
}

export interface Session {
  readonly at: Phase;
  /** The epoch of the newest attempt; each is used once. */
  readonly epoch: number;
  /** Attempts that failed since the upstream last proved itself by real traffic. */
  readonly failures: number;
}

export type SessionInput =
  | { readonly type: "start" }
  | { readonly type: "opened"; readonly epoch: number }
  /** The socket of this epoch is over, or never came to be. */
  | { readonly type: "dropped"; readonly epoch: number; readonly drop: Drop }
  /** A frame came in: needed wherever {@link listens} says so. */
  | { readonly type: "frame"; readonly epoch: number; readonly frame: Body }
  | { readonly type: "pong"; readonly epoch: number; readonly proof: string }
  /** The phase's timer fired. */
  | { readonly type: "timer" }
  /** Ping now: somebody waits for a proof. */
  | { readonly type: "probe" }
  /** Leave this connection for a new one. */
  | { readonly type: "renew"; readonly detail: string }
  /** The end: close what is open, stop what is under way. Once more with 0 to break what is still closing. */
  | { readonly type: "close"; readonly withinMs: number };

export type SessionEffect =
  | { readonly type: "connect"; readonly epoch: number; readonly withinMs: number }
  | { readonly type: "send"; readonly epoch: number; readonly frame: string }
  | { readonly type: "ping"; readonly epoch: number; readonly proof: string }
  /** Begin the close handshake; break the socket when it is not done in time. */
  | { readonly type: "close"; readonly epoch: number; readonly code: number; readonly withinMs: number }
  | { readonly type: "destroy"; readonly epoch: number }
  /** Set the one timer; undefined clears it. `blames`: when it fires the peer is held for dead, if nothing came in. */
  | { readonly type: "timer"; readonly ms: number | undefined; readonly blames?: true }
  /** The requests on this epoch's socket will get no reply any more. */
  | { readonly type: "lost"; readonly epoch: number; readonly why: Drop }
  /** The upstream proved that it has what was written before the ping with this proof. */
  | { readonly type: "proven"; readonly epoch: number; readonly proof: string }
  /** A frame that came during the greeting and is not part of it: nothing can have been asked yet. */
  | { readonly type: "message"; readonly frame: Body }
  /** A frame that is none of the session's business: it may be a reply. */
  | { readonly type: "frame"; readonly epoch: number; readonly frame: Body };

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

export interface Step {
  readonly session: Session;
  readonly effects: readonly SessionEffect[];
}

export const newSession: Session = { at: { phase: "idle" }, epoch: 0, failures: 0 };

/** The longest that a timer of either runtime waits, in milliseconds: asked for more, it fires at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** How long an old socket may take to close behind the back of its successor, in milliseconds. */
export const RENEW_CLOSE_MS = 2_000;

export function step(session: Session, input: SessionInput, context: SessionContext): Step {
  const { at } = session;
  if ("epoch" in input && !("epoch" in at && at.epoch === input.epoch)) return { session, effects: [] };
  switch (input.type) {
    case "start":
      return at.phase === "idle" ? connect(session, context) : stay(session);
    case "opened":
      return at.phase === "connecting" ? greet(session, input.epoch, 0, context) : stay(session);
    case "dropped":
      // What is still pending when we close for good is not lost but cancelled: by the step after this one.
      if (at.phase === "closing") return { session: { ...session, at: { phase: "closed" } }, effects: [] };
      return lose(session, input.epoch, input.drop, context);
    case "frame":
      if (at.phase === "greeting") return hear(session, at, input.frame, context);
      return work(session, input.epoch, input.frame, context);
    case "pong":
      return prove(session, input.proof, context);
    case "timer":
      return timedOut(session, context);
    case "probe":
      if (at.phase !== "ready" || at.ladder.ping.proof !== undefined) return stay(session);
      return ping(session, at, context);
    case "renew":
      return renew(session, input.detail, context);
    case "close":
      return close(session, input.withinMs, context);
  }
}

/** Whether a frame of this epoch is for the session to see first. Most are not, and need not pay for it. */
export function listens({ at, failures }: Session, epoch: number): boolean {
  if (!("epoch" in at) || at.epoch !== epoch) return false;
  return at.phase === "greeting" || failures > 0 || (at.phase === "ready" && at.ladder.heartbeat.asked);
}

function stay(session: Session): Step {
  return { session, effects: [] };
}

function connect(session: Session, { settings }: SessionContext, before: readonly SessionEffect[] = []): Step {
  const epoch = session.epoch + 1;
  return {
    session: { ...session, epoch, at: { phase: "connecting", epoch } },
    effects: [
      ...before,
      { type: "timer", ms: undefined },
      { type: "connect", epoch, withinMs: settings.connect_within },
    ],
  };
}

/**
 * Goes on with the greeting from step `from`, after what was `heard`: sends what there is to send, until something must
 * be waited for.
 */
function greet(session: Session, epoch: number, from: number, context: SessionContext, heard?: Body): Step {
  const { settings, now: openedAt } = context;
  const effects: SessionEffect[] = [];
  for (let index = from; index < settings.greeting.length; index++) {
    const now = settings.greeting[index];
    if (now && "expect" in now) {
      effects.push({ type: "timer", ms: now.expect.within, blames: true });
      return { session: { ...session, at: { phase: "greeting", epoch, step: index } }, effects };
    }
    if (now) effects.push({ type: "send", epoch, frame: greetingFrame(now, heard) });
  }
  const at: Ready = { phase: "ready", epoch, ladder: firstLadder(settings.keepalive, openedAt) };
  return be(session, at, context, effects);
}

/** Ready, with one timer for whatever is due next. */
function be(session: Session, at: Ready, { now, heardAt, settings }: SessionContext, before: SessionEffect[]): Step {
  const due = nearest(at.ladder, settings.keepalive, heardAt);
  const ms = Math.max(0, Math.ceil(due.at - now));
  return {
    session: { ...session, at },
    effects: [...before, { type: "timer", ms, ...(due.blames && { blames: true }) }],
  };
}

/** Real traffic: the upstream works. */
function work(session: Session, epoch: number, frame: Body, context: SessionContext): Step {
  const { at } = session;
  const working = { ...session, failures: 0 };
  const { heartbeat } = context.settings.keepalive;
  const asked = at.phase === "ready" && at.ladder.heartbeat.asked && heartbeat?.expect;
  if (!asked || !matchesFrame(frame, asked.match)) {
    return { session: working, effects: [{ type: "frame", epoch, frame }] };
  }
  return be(working, { ...at, ladder: answered(at.ladder, heartbeat, context.now) }, context, []);
}

function hear(session: Session, at: Extract<Phase, { phase: "greeting" }>, frame: Body, context: SessionContext): Step {
  const waitedFor = context.settings.greeting[at.step];
  const heard = waitedFor && "expect" in waitedFor ? answer(waitedFor, frame) : "other";
  if (heard === "matched") return greet(session, at.epoch, at.step + 1, context, frame);
  if (heard === "other") return { session, effects: [{ type: "message", frame }] };
  return giveUp(session, at.epoch, { reason: "greeting", rejected: true, detail: `step ${at.step + 1}` }, context);
}

function lose(session: Session, epoch: number, drop: Drop, context: SessionContext): Step {
  const why = session.at.phase === "greeting" ? ungreeted(drop, context.settings.reconnect) : drop;
  return fall(session, why, context, [{ type: "lost", epoch, why }]);
}

/** The connection is over: decides when the next attempt is due. */
function fall(session: Session, why: Drop, context: SessionContext, before: readonly SessionEffect[]): Step {
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
function giveUp(session: Session, epoch: number, why: Drop, context: SessionContext): Step {
  return fall(session, why, context, [
    { type: "destroy", epoch },
    { type: "lost", epoch, why },
  ]);
}

function ping(session: Session, at: Ready, context: SessionContext): Step {
  const { proof, now, settings } = context;
  const { epoch } = at;
  const ladder = pinged(at.ladder, proof, settings.keepalive, now);
  return be(session, { ...at, ladder }, context, [{ type: "ping", epoch, proof }]);
}

function prove(session: Session, proof: string, context: SessionContext): Step {
  const { at } = session;
  if (at.phase !== "ready" || at.ladder.ping.proof !== proof) return stay(session);
  const ladder = ponged(at.ladder, context.settings.keepalive, context.now);
  const then = be({ ...session, failures: 0 }, { ...at, ladder }, context, []);
  // Last: whoever hears of it may ask for the next ping at once.
  return { ...then, effects: [...then.effects, { type: "proven", epoch: at.epoch, proof }] };
}

/** The moment of one rung has come: asks what there is to be asked, or gives the peer up. */
function climb(session: Session, at: Ready, context: SessionContext): Step {
  const { now, heardAt, settings } = context;
  const { keepalive } = settings;
  const due = nearest(at.ladder, keepalive, heardAt);
  if (due.at > now) return be(session, at, context, []);
  if (due.blames) {
    // It was us who did not look: everything begins anew, with a ping to know soon.
    if (slept(due, now)) return ping(session, { ...at, ladder: firstLadder(keepalive, now) }, context);
    const withinMs = patience(due.rung, keepalive);
    return giveUp(session, at.epoch, { reason: "silent", rung: due.rung, withinMs }, context);
  }
  if (due.rung === "ping" || keepalive.heartbeat === null) return ping(session, at, context);
  const beat: SessionEffect = { type: "send", epoch: at.epoch, frame: greetingFrame(keepalive.heartbeat) };
  return be(session, { ...at, ladder: beaten(at.ladder, keepalive.heartbeat, now) }, context, [beat]);
}

function timedOut(session: Session, context: SessionContext): Step {
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
      return giveUp(session, at.epoch, { reason: "greeting", rejected: false, detail }, context);
    }
    case "ready":
      return climb(session, at, context);
    default:
      return stay(session);
  }
}

function renew(session: Session, detail: string, context: SessionContext): Step {
  const { at } = session;
  if (at.phase !== "ready") return stay(session);
  return connect(session, context, [
    { type: "lost", epoch: at.epoch, why: { reason: "renewed", detail } },
    { type: "close", epoch: at.epoch, code: 1000, withinMs: RENEW_CLOSE_MS },
  ]);
}

function close(session: Session, withinMs: number, { settings }: SessionContext): Step {
  const { at } = session;
  const quiet: SessionEffect = { type: "timer", ms: undefined };
  switch (at.phase) {
    case "ready":
    case "greeting":
      return {
        session: { ...session, at: { phase: "closing", epoch: at.epoch } },
        effects: [quiet, { type: "close", epoch: at.epoch, code: settings.close_code, withinMs }],
      };
    case "closing":
      return {
        session,
        effects: [{ type: "close", epoch: at.epoch, code: settings.close_code, withinMs }],
      };
    case "connecting":
      return { session: { ...session, at: { phase: "closed" } }, effects: [{ type: "destroy", epoch: at.epoch }] };
    default:
      return { session: { ...session, at: { phase: "closed" } }, effects: [quiet] };
  }
}

/** What a request finds: a socket to be written to, a promise of one, or neither. */
export type Availability =
  | { readonly type: "ready"; readonly epoch: number }
  | { readonly type: "hold" }
  | { readonly type: "down"; readonly failure: Omit<Failure, "sent" | "retryAfterMs">; readonly until?: number };

export function availability({ at }: Session): Availability {
  switch (at.phase) {
    case "ready":
      return { type: "ready", epoch: at.epoch };
    case "idle":
    case "connecting":
    case "greeting":
      return { type: "hold" };
    case "waiting":
      return { type: "down", failure: { code: "upstream_down", detail: describeDrop(at.why) }, until: at.until };
    case "refused": {
      const code = at.why.reason === "greeting" ? "login_refused" : "upstream_down";
      return { type: "down", failure: { code, detail: describeDrop(at.why) }, until: at.until };
    }
    case "closing":
    case "closed":
      return { type: "down", failure: { code: "shutting_down", detail: "the connection is being closed for good" } };
  }
}
