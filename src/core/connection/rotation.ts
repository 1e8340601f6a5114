/** The rotation of an upstream's connection: make before break, as a pure state machine around two sessions. */
import { DRAIN_MS } from "../../protocols/preset.ts";
import { fullJitter } from "../util/backoff.ts";
import type { Disconnect } from "./disconnect.ts";
import { step } from "./session.ts";
import {
  newSession,
  type Session,
  type SessionContext,
  type SessionEffect,
  type SessionInput,
} from "./session-state.ts";

/**
 * A connection is replaced because of its age, or because the upstream announces that it is going away. It stays in use
 * until its successor is open and greeted. The successor is a session with its own attempts and its own timer; the
 * rotation only decides which of the two is current. Without a successor it behaves exactly like the one session.
 */
export interface Rotation {
  readonly current: Session;
  readonly successor: Session | undefined;
  /** Number of consecutive connections on which the upstream requested a rotation while they were still young. */
  readonly earlyRequests: number;
  /** The last connection on which the upstream requested a rotation: further requests on it change nothing. */
  readonly requestedOn: number | undefined;
}

export type RotationInput =
  | SessionInput
  /** The settings have changed. `anew`: only a new connection follows them. */
  | { readonly type: "settings"; readonly anew: boolean }
  /** The upstream requests that this connection be replaced. */
  | { readonly type: "rotate"; readonly connection: number }
  /** The second timer fired: the successor's or, while there is none, the one that starts a rotation. */
  | { readonly type: "rotationTimer" };

interface RotationTimer {
  readonly type: "rotationTimer";
  readonly ms: number | undefined;
  readonly isPeerDeadline?: true;
}

export type RotationEffect =
  | SessionEffect
  | RotationTimer
  /** The successor becomes current, and its timer the first one; the second timer is cleared. */
  | { readonly type: "promote" }
  /** Send nothing more on this connection. Close it once its replies have arrived or `withinMs` has passed. */
  | { readonly type: "retire"; readonly connection: number; readonly withinMs: number }
  /** An attempt at a successor failed. The current connection stays in use. */
  | { readonly type: "rotationFailed"; readonly cause: Disconnect };

export interface RotationTransition {
  readonly rotation: Rotation;
  readonly effects: readonly RotationEffect[];
}

export const newRotation: Rotation = {
  current: newSession,
  successor: undefined,
  earlyRequests: 0,
  requestedOn: undefined,
};

const ROTATED = "it was rotated, and the next connection resumes";

const CLEAR_ROTATION_TIMER: RotationTimer = { type: "rotationTimer", ms: undefined };

export function stepRotation(rotation: Rotation, input: RotationInput, context: SessionContext): RotationTransition {
  const { successor } = rotation;
  switch (input.type) {
    case "rotate":
      return onRotationRequest(rotation, input.connection, context);
    case "settings":
      return onSettings(rotation, input.anew, context);
    case "rotationTimer":
      if (successor) return stepSuccessor(rotation, successor, { type: "timer" }, context);
      return startSuccessor(rotation, context);
    default:
      if (successor && "connection" in input && input.connection === successor.connection)
        return stepSuccessor(rotation, successor, input, context);
      return stepCurrent(rotation, input, context);
  }
}

/**
 * Honors the first request at once. If the upstream repeats it on every new connection, the rotations back off: we must
 * not connect and log in without a pause.
 */
function onRotationRequest(rotation: Rotation, connection: number, context: SessionContext): RotationTransition {
  const { current, successor, earlyRequests, requestedOn } = rotation;
  const { at } = current;
  if (successor || at.phase !== "ready" || at.connection !== connection || requestedOn === connection)
    return { rotation, effects: [] };
  const { from, to } = context.settings.reconnect;
  const before = context.now - at.since < to ? earlyRequests : 0;
  const requested = { ...rotation, earlyRequests: before + 1, requestedOn: connection };
  if (before === 0) return startSuccessor(requested, context);
  const ms = fullJitter(before - 1, from, to, context.random);
  return { rotation: requested, effects: [{ type: "rotationTimer", ms }] };
}

/** A connection that serves is replaced by one that follows the settings; the successor on its way begins again. */
function onSettings(rotation: Rotation, anew: boolean, context: SessionContext): RotationTransition {
  const { session, effects } = step(rotation.current, { type: "settings", anew }, context);
  const current = { ...rotation, current: session };
  if (session.at.phase !== "ready") return { rotation: current, effects };
  const { successor, requestedOn } = rotation;
  // A rotation that is due anyway, or on its way, need not be scheduled.
  if (!anew && (successor || requestedOn === session.at.connection)) return { rotation: current, effects };
  const then = !anew
    ? { rotation: current, effects: scheduleRotation(context, context.now - session.at.since) }
    : successor
      ? stepSuccessor(current, successor, { type: "settings", anew }, context)
      : startSuccessor(current, context);
  return { ...then, effects: [...effects, ...then.effects] };
}

function startSuccessor(rotation: Rotation, context: SessionContext): RotationTransition {
  const { current } = rotation;
  if (current.at.phase !== "ready") return { rotation, effects: [] };
  // Break before make: the frames that one connection still brings would come on the other as well.
  if (context.canResume) return stepCurrent(rotation, { type: "renew", detail: ROTATED }, context);
  const idle: Session = { ...newSession, connection: current.connection };
  return stepSuccessor(rotation, idle, { type: "start" }, context);
}

function stepSuccessor(
  rotation: Rotation,
  successor: Session,
  input: SessionInput,
  context: SessionContext,
): RotationTransition {
  const { session, effects } = step(successor, input, context);
  const translated = effects.map(successorEffect);
  if (session.at.phase !== "ready") return { rotation: { ...rotation, successor: session }, effects: translated };
  const withinMs = context.settings.reconnect.rotate?.drain ?? DRAIN_MS;
  return {
    rotation: { ...rotation, current: session, successor: undefined },
    effects: [
      ...translated,
      { type: "promote" },
      { type: "retire", connection: rotation.current.connection, withinMs },
      ...scheduleRotation(context),
    ],
  };
}

function stepCurrent(rotation: Rotation, input: SessionInput, context: SessionContext): RotationTransition {
  const { current, successor } = rotation;
  const { session, effects } = step(current, input, context);
  const isReady = session.at.phase === "ready";
  if (successor && !isReady) {
    if (input.type !== "close" && input.type !== "resign") {
      // The current connection is gone: its successor takes over in whatever phase it is, and no other attempt starts.
      const rest = effects.filter(({ type }) => type !== "timer" && type !== "connect");
      return {
        rotation: { ...rotation, current: successor, successor: undefined },
        effects: [...rest, { type: "promote" }],
      };
    }
    // No request was ever sent on the successor's connection, so nothing is lost.
    const isOwn = ({ type }: SessionEffect) => type !== "timer" && type !== "lost";
    const closing = step(successor, input, context).effects.filter(isOwn);
    return {
      rotation: { ...rotation, current: session, successor: undefined },
      effects: [...effects, ...closing, CLEAR_ROTATION_TIMER],
    };
  }
  const wasReady = current.at.phase === "ready";
  const timer = isReady && !wasReady ? scheduleRotation(context) : wasReady && !isReady ? [CLEAR_ROTATION_TIMER] : [];
  return { rotation: { ...rotation, current: session }, effects: [...effects, ...timer] };
}

/**
 * Schedules the rotation by age, up to a quarter early, so that replicas do not all rotate at once.
 * @param age of a connection whose rotation is scheduled again; an earlier schedule is cleared
 */
function scheduleRotation({ random, settings }: SessionContext, age?: number): readonly RotationTimer[] {
  const every = settings.reconnect.rotate?.every;
  if (every === undefined) return age === undefined ? [] : [CLEAR_ROTATION_TIMER];
  return [{ type: "rotationTimer", ms: Math.max(0, Math.ceil(every * (1 - random / 4) - (age ?? 0))) }];
}

function successorEffect(effect: SessionEffect): RotationEffect {
  if (effect.type === "timer") return { ...effect, type: "rotationTimer" };
  // No request was ever sent on the successor's connection, so nothing is lost.
  return effect.type === "lost" ? { type: "rotationFailed", cause: effect.cause } : effect;
}
