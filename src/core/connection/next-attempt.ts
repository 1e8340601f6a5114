/** The decision after a connection has ended: when the next attempt is due, and if it may resume. */
import type { Disconnect } from "./disconnect.ts";
import { decideRetry, decideRetryAfterService, type RetryDecision, retryDelay } from "./retry.ts";
import { type Session, type SessionEffect, type StepContext, TIMER_MAX_MS, type Transition } from "./session-state.ts";

/**
 * The age at which a connection with real traffic has served, in milliseconds. One that says hello and ends at once has
 * not: outages, full servers and sessions taken over by another client look like that, and end within a second.
 */
const SERVED_MS = 2_000;

/** The failed greetings after which an attempt no longer tries to resume: the upstream may have forgotten us. */
const RESUMES_MAX = 3;

/**
 * The counts when a connection ends. One that has served forgives the failures before it, so the upstream is back soon
 * after a blip. But if one after another serves only briefly, the flaps take the place of the failures: each of them
 * costs a login, and an upstream may allow few.
 */
export function afterService(
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
export function scheduleRetry(
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
export function giveUp(
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
