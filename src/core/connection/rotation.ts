import { fullJitter } from "../util/backoff.ts";
import type { Disconnect } from "./disconnect.ts";
import {
  newSession,
  type Session,
  type SessionContext,
  type SessionEffect,
  type SessionInput,
  step,
} from "./session.ts";

/**
 * Make before break: a connection that is to be left, because of its age or because the upstream says that it goes away,
 * stays until its successor is open and greeted. The successor is a session of its own, with its own attempts and its own
 * timer; all that happens here is who of the two is current. Without a successor this is a session and nothing more.
 */
export interface Pair {
  readonly current: Session;
  readonly next: Session | undefined;
  /** How many connections in a row have asked to be left when they were young. */
  readonly hurried: number;
  /** The last connection that asked: it need not be heard twice. */
  readonly asked: number;
}

export type PairInput =
  | SessionInput
  /** The upstream asks us to leave this connection for a new one, once there is one. */
  | { readonly type: "rotate"; readonly connection: number }
  /** The second timer fired: it is the successor's, or, while there is none, tells when one is due. */
  | { readonly type: "nextTimer" };

type NextTimer = { readonly type: "nextTimer"; readonly ms: number | undefined; readonly blames?: true };

export type PairEffect =
  | SessionEffect
  | NextTimer
  /** The successor is current from here on, and its timer the first one. The second is set to nothing. */
  | { readonly type: "promote" }
  /** This connection takes nothing new. Close it when its replies have come, or when the time is over. */
  | { readonly type: "retire"; readonly connection: number; readonly withinMs: number }
  /** An attempt at a successor has failed. The connection that there is stays. */
  | { readonly type: "notRotated"; readonly why: Disconnect };

export interface Turn {
  readonly pair: Pair;
  readonly effects: readonly PairEffect[];
}

export const newPair: Pair = { current: newSession, next: undefined, hurried: 0, asked: 0 };

export function turn(pair: Pair, input: PairInput, context: SessionContext): Turn {
  const { next } = pair;
  switch (input.type) {
    case "rotate":
      return onRotationRequest(pair, input.connection, context);
    case "nextTimer":
      if (next) return turnNext(pair, next, { type: "timer" }, context);
      return begin(pair, context);
    default:
      if (next && "connection" in input && input.connection === next.connection)
        return turnNext(pair, next, input, context);
      return turnCurrent(pair, input, context);
  }
}

/** One that asks at once on every connection must not make us connect and log in without a pause: the next wait their backoff. */
function onRotationRequest(pair: Pair, connection: number, context: SessionContext): Turn {
  const { current, next, hurried, asked } = pair;
  const { at } = current;
  if (next || at.phase !== "ready" || at.connection !== connection || asked === connection)
    return { pair, effects: [] };
  const { from, to } = context.settings.reconnect;
  const before = context.now - at.ladder.since < to ? hurried : 0;
  const heard = { ...pair, hurried: before + 1, asked: connection };
  if (before === 0) return begin(heard, context);
  return { pair: heard, effects: [{ type: "nextTimer", ms: fullJitter(before - 1, from, to, context.random) }] };
}

function begin(pair: Pair, context: SessionContext): Turn {
  const { current } = pair;
  if (current.at.phase !== "ready") return { pair, effects: [] };
  const idle: Session = { ...newSession, connection: current.connection };
  return turnNext(pair, idle, { type: "start" }, context);
}

function turnNext(pair: Pair, next: Session, input: SessionInput, context: SessionContext): Turn {
  const { session, effects } = step(next, input, context);
  const own = effects.map(ofNext);
  if (session.at.phase !== "ready") return { pair: { ...pair, next: session }, effects: own };
  const withinMs = context.settings.reconnect.rotate?.drain ?? 0;
  return {
    pair: { ...pair, current: session, next: undefined },
    effects: [
      ...own,
      { type: "promote" },
      { type: "retire", connection: pair.current.connection, withinMs },
      ...plan(context),
    ],
  };
}

function turnCurrent(pair: Pair, input: SessionInput, context: SessionContext): Turn {
  const { current, next } = pair;
  const { session, effects } = step(current, input, context);
  const isReady = session.at.phase === "ready";
  if (next && !isReady) {
    if (input.type !== "close") {
      // It is gone, and whoever was to succeed it does so, as far as it has got. No other attempt begins.
      const rest = effects.filter(({ type }) => type !== "timer" && type !== "connect");
      return { pair: { ...pair, current: next, next: undefined }, effects: [...rest, { type: "promote" }] };
    }
    const left = step(next, input, context).effects.filter(({ type }) => type !== "timer");
    return { pair: { ...pair, current: session, next: undefined }, effects: [...effects, ...left, noNextTimer] };
  }
  const wasReady = current.at.phase === "ready";
  const more = isReady && !wasReady ? plan(context) : wasReady && !isReady ? [noNextTimer] : [];
  return { pair: { ...pair, current: session, next }, effects: [...effects, ...more] };
}

const noNextTimer: NextTimer = { type: "nextTimer", ms: undefined };

/** When the connection is old enough: up to a quarter sooner than asked, so that replicas do not all move at once. */
function plan({ random, settings }: SessionContext): readonly NextTimer[] {
  const every = settings.reconnect.rotate?.every;
  return every === undefined ? [] : [{ type: "nextTimer", ms: Math.ceil(every * (1 - random / 4)) }];
}

function ofNext(effect: SessionEffect): PairEffect {
  if (effect.type === "timer") return { ...effect, type: "nextTimer" };
  // Nothing was ever handed to it: nothing is lost.
  return effect.type === "lost" ? { type: "notRotated", why: effect.why } : effect;
}
