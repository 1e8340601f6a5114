/** A connection that serves: its traffic, and the pings and heartbeats that show whether the peer lives. */
import { matchesFrame } from "../../protocols/condition.ts";
import { valuesOf } from "./captured-values.ts";
import { answered, passedOn, seenBy } from "./configured-reply.ts";
import { heartbeatFrame } from "./greeting.ts";
import {
  newLadder,
  nextDue,
  rungTimeoutMs,
  wasSuspended,
  withBytesMoved,
  withHeartbeatInterval,
  withHeartbeatReply,
  withHeartbeatSent,
  withPing,
  withPingSent,
  withPong,
} from "./liveness.ts";
import { giveUp } from "./next-attempt.ts";
import {
  type FrameInput,
  type Ready,
  type Session,
  type SessionEffect,
  type StepContext,
  stay,
  TIMER_MAX_MS,
  type Transition,
} from "./session-state.ts";
import { lastSigns } from "./signs-of-life.ts";

/** Enters or stays in `ready`, with the timer set for the rung that is due next. */
export function enterReady(
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
export function onTraffic(session: Session, input: FrameInput, context: StepContext): Transition {
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

export function ping(session: Session, at: Ready, context: StepContext): Transition {
  const { proof, now, settings, traffic } = context;
  const { connection } = at;
  const ladder = withPing(at.ladder, proof, settings.keepalive, traffic, now);
  return enterReady(session, { ...at, ladder }, context, [{ type: "ping", connection, proof }]);
}

export function onPingSent(session: Session, proof: string, context: StepContext): Transition {
  const { at } = session;
  if (at.phase !== "ready" || at.ladder.ping.proof !== proof || !at.ladder.ping.awaits) return stay(session);
  const ladder = withPingSent(at.ladder, context.settings.keepalive, context.traffic, context.now);
  return enterReady(session, { ...at, ladder }, context, []);
}

export function onPong(session: Session, proof: string, context: StepContext): Transition {
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
export function onRungDue(session: Session, at: Ready, context: StepContext): Transition {
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

export function onCaptured(session: Session, context: StepContext): Transition {
  const { at } = session;
  const { heartbeat } = context.settings.keepalive;
  if (at.phase !== "ready" || heartbeat === null) return stay(session);
  return enterReady(session, { ...at, ladder: withHeartbeatInterval(at.ladder, heartbeat, context.now) }, context, []);
}

/** Begins the ladder again, with a ping. */
export function restartLadder(session: Session, before: Ready, context: StepContext): Transition {
  const { keepalive } = context.settings;
  const at = { ...before, ladder: newLadder(keepalive, context.now) };
  return keepalive.ping === null ? enterReady(session, at, context, []) : ping(session, at, context);
}
