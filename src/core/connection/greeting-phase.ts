/** The greeting of a connection: the frames it sends and expects, one step after the other. */
import { Unanswerable } from "../../protocols/challenge.ts";
import { detailIn, frameText } from "../../protocols/condition.ts";
import { textOf } from "../../protocols/json-message.ts";
import type { Expectation } from "../../protocols/preset.ts";
import type { Body } from "../../protocols/protocol.ts";
import { excerptOf } from "../../secrets/secrets.ts";
import { flat } from "../util/flat.ts";
import { ValueMissing } from "./captured-texts.ts";
import { isResuming, valuesOf } from "./captured-values.ts";
import { answered, passedOn, seenBy } from "./configured-reply.ts";
import { greetingFrame, isStepOf, matchStep } from "./greeting.ts";
import { newLadder } from "./liveness.ts";
import { giveUp } from "./next-attempt.ts";
import { enterReady } from "./ready-phase.ts";
import type { FrameInput, Greeting, Ready, Session, SessionEffect, StepContext, Transition } from "./session-state.ts";

/** Continues the greeting at step `from`: sends frames up to the next expect step. `reply`: the frame last expected. */
export function greet(
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
        if (!(error instanceof ValueMissing || error instanceof Unanswerable)) throw error;
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

export function onGreetingFrame(session: Session, at: Greeting, input: FrameInput, context: StepContext): Transition {
  const { frame, origin } = input;
  const expect = expectation(at, context);
  const body = seenBy("greeting", input);
  const match = expect && body !== undefined ? matchStep({ expect }, body) : "other";
  if (match === "matched") return greet(session, at.connection, at.step + 1, context, body, answered(input));
  if (match === "other") {
    const last = body ?? frame;
    return {
      session: { ...session, at: { ...at, last } },
      effects: [origin ? passedOn(input) : { type: "message", connection: at.connection, frame }],
    };
  }
  const seen = body ?? frame;
  const said = expect?.reject && detailIn(frameText(seen), expect.reject);
  const detail = `step ${at.step + 1} received ${flat(excerptOf(said ?? textOf(seen), context.secrets))}`;
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

export function onGreetingTimeout(session: Session, at: Greeting, context: StepContext): Transition {
  const within = expectation(at, context)?.within ?? 0;
  const last = at.last === undefined ? "" : `; the last frame was ${flat(excerptOf(textOf(at.last), context.secrets))}`;
  const detail = `step ${at.step + 1} received no matching frame within ${within} ms${last}`;
  return giveUp(session, at.connection, { reason: "greeting", rejected: false, detail }, context);
}
