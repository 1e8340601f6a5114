import type { Drop } from "./drop.ts";
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
}

export type PairInput =
  | SessionInput
  /** Leave the connection of this epoch for a new one, once there is one. */
  | { readonly type: "rotate"; readonly epoch: number }
  /** The second timer fired: it is the successor's, or, while there is none, tells when one is due. */
  | { readonly type: "nextTimer" };

type NextTimer = { readonly type: "nextTimer"; readonly ms: number | undefined; readonly blames?: true };

export type PairEffect =
  | SessionEffect
  | NextTimer
  /** The successor is current from here on, and its timer the first one. The second is set to nothing. */
  | { readonly type: "promote" }
  /** This connection takes nothing new. Close it when its replies have come, or when the time is over. */
  | { readonly type: "retire"; readonly epoch: number; readonly withinMs: number }
  /** An attempt at a successor has failed. The connection that there is stays. */
  | { readonly type: "notRotated"; readonly why: Drop };

export interface Turn {
  readonly pair: Pair;
  readonly effects: readonly PairEffect[];
}

export const newPair: Pair = { current: newSession, next: undefined };

export function turn(pair: Pair, input: PairInput, context: SessionContext): Turn {
  const { current, next } = pair;
  switch (input.type) {
    case "rotate":
      return begin(pair, input.epoch, context);
    case "nextTimer":
      if (next) return turnNext(pair, next, { type: "timer" }, context);
      return begin(pair, current.epoch, context);
    default:
      if (next && "epoch" in input && input.epoch === next.epoch) return turnNext(pair, next, input, context);
      return turnCurrent(pair, input, context);
  }
}

function begin({ current, next }: Pair, epoch: number, context: SessionContext): Turn {
  if (next || current.at.phase !== "ready" || current.at.epoch !== epoch) {
    return { pair: { current, next }, effects: [] };
  }
  const idle: Session = { ...newSession, epoch: current.epoch };
  return turnNext({ current, next: idle }, idle, { type: "start" }, context);
}

function turnNext({ current }: Pair, next: Session, input: SessionInput, context: SessionContext): Turn {
  const { session, effects } = step(next, input, context);
  const own = effects.map(ofNext);
  if (session.at.phase !== "ready") return { pair: { current, next: session }, effects: own };
  const withinMs = context.settings.reconnect.rotate?.drain ?? 0;
  return {
    pair: { current: session, next: undefined },
    effects: [...own, { type: "promote" }, { type: "retire", epoch: current.epoch, withinMs }, ...plan(context)],
  };
}

function turnCurrent({ current, next }: Pair, input: SessionInput, context: SessionContext): Turn {
  const { session, effects } = step(current, input, context);
  const isReady = session.at.phase === "ready";
  if (next && !isReady) {
    if (input.type !== "close") {
      // It is gone, and whoever was to succeed it does so, as far as it has got. No other attempt begins.
      const rest = effects.filter(({ type }) => type !== "timer" && type !== "connect");
      return { pair: { current: next, next: undefined }, effects: [...rest, { type: "promote" }] };
    }
    const left = step(next, input, context).effects.filter(({ type }) => type !== "timer");
    return { pair: { current: session, next: undefined }, effects: [...effects, ...left, noNextTimer] };
  }
  const wasReady = current.at.phase === "ready";
  const more = isReady && !wasReady ? plan(context) : wasReady && !isReady ? [noNextTimer] : [];
  return { pair: { current: session, next }, effects: [...effects, ...more] };
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
