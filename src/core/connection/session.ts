/** The life of one upstream connection as a pure state machine: state and input in, state and effects out. */
import { valuesOf } from "./captured-values.ts";
import type { Disconnect } from "./disconnect.ts";
import { keepaliveWith } from "./greeting.ts";
import { greet, onGreetingFrame, onGreetingTimeout } from "./greeting-phase.ts";
import { afterService, giveUp, scheduleRetry } from "./next-attempt.ts";
import { onCaptured, onPingSent, onPong, onRungDue, onTraffic, ping, restartLadder } from "./ready-phase.ts";
import { disconnectWhileGreeting } from "./retry.ts";
import {
  CLEAR_TIMER,
  type Session,
  type SessionContext,
  type SessionEffect,
  type SessionInput,
  type StepContext,
  stay,
  type Transition,
} from "./session-state.ts";

/** How long a replaced connection may take for its close handshake, in milliseconds. */
export const RENEW_CLOSE_MS = 2_000;

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
    case "unservable":
      if (at.phase === "ready") return renew(session, input.detail, context);
      if (at.phase !== "connecting" && at.phase !== "greeting") return stay(session);
      return giveUp(session, input.connection, { reason: "module", detail: input.detail }, context);
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
    case "resign":
      return resign(session, input.detail);
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

function connect(session: Session, { settings }: StepContext, before: readonly SessionEffect[] = []): Transition {
  const connection = session.connection + 1;
  return {
    session: { ...session, connection, at: { phase: "connecting", connection } },
    effects: [...before, CLEAR_TIMER, { type: "connect", connection, withinMs: settings.connect_within }],
  };
}

function onDropped(session: Session, connection: number, disconnect: Disconnect, context: StepContext): Transition {
  const isGreeting = session.at.phase === "greeting";
  const cause = isGreeting ? disconnectWhileGreeting(disconnect, context.settings.reconnect) : disconnect;
  return scheduleRetry(session, cause, context, [{ type: "lost", connection, cause }]);
}

function onTimer(session: Session, context: StepContext): Transition {
  const { at } = session;
  switch (at.phase) {
    case "waiting":
    case "refused":
      return connect(session, context);
    case "greeting":
      return onGreetingTimeout(session, at, context);
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

function resign(session: Session, detail: string): Transition {
  const { at } = session;
  const idle: Session = { ...session, at: { phase: "idle" }, failures: 0, flaps: 0 };
  switch (at.phase) {
    case "connecting":
    case "greeting":
    case "ready": {
      const { connection } = at;
      const cause: Disconnect = { reason: "resigned", detail };
      // The next connection may be another replica's, and cannot resume where this one ends.
      const effects: SessionEffect[] = [
        CLEAR_TIMER,
        { type: "forget" },
        { type: "destroy", connection },
        { type: "lost", connection, cause },
      ];
      return { session: idle, effects };
    }
    case "waiting":
    case "refused":
      return { session: idle, effects: [CLEAR_TIMER, { type: "forget" }] };
    default:
      return stay(session);
  }
}

function close(session: Session, withinMs: number, { settings }: StepContext): Transition {
  const { at } = session;
  const closeConnection = (connection: number, isGreeted = false): SessionEffect => {
    return { type: "close", connection, code: settings.close_code, withinMs, ...(isGreeted && { farewell: true }) };
  };
  switch (at.phase) {
    case "ready":
    case "greeting":
      return {
        session: { ...session, at: { phase: "closing", connection: at.connection } },
        effects: [CLEAR_TIMER, closeConnection(at.connection, at.phase === "ready")],
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
