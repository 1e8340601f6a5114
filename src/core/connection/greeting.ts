import type { UpstreamSettings } from "../../config/schema.ts";
import { withAnswer } from "../../protocols/challenge.ts";
import { readFrame } from "../../protocols/json-message.ts";
import type { Body } from "../../protocols/protocol.ts";
import { condition, type When } from "../../protocols/when.ts";

/** The greeting: a script of send and expect steps, run on every connect before the upstream counts as ready. */

type GreetingStepSettings = UpstreamSettings["greeting"][number];

/** What one frame means to an expect step. `other` frames are none of its business: they are handed on as messages. */
export type StepMatch = "matched" | "rejected" | "other";

export function matchStep(step: Extract<GreetingStepSettings, { expect: unknown }>, frame: Body): StepMatch {
  const { match, reject } = step.expect;
  if (reject && matchesFrame(frame, reject)) return "rejected";
  return matchesFrame(frame, match) ? "matched" : "other";
}

/** Whether the frame has all of the values, each where its JSON pointer says. Without any, every frame does. */
export function matchesFrame(frame: Body, match: NonNullable<When["match"]>): boolean {
  const json = readFrame(frame);
  return "why" in json ? Object.keys(match).length === 0 : condition({ match })(json);
}

/** A text goes out as it is; anything else as its JSON. `heard`: what was expected before it. */
export function greetingFrame(
  { send, challenge }: Extract<GreetingStepSettings, { send: unknown }>,
  heard?: Body,
): string {
  const text = typeof send === "string" ? send : JSON.stringify(send);
  return challenge && heard !== undefined ? withAnswer(text, challenge, heard) : text;
}
