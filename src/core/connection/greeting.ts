/** The steps of a greeting, the script of sends and expects that runs on every connection before it counts as ready. */

import type { UpstreamSettings } from "../../config/schema.ts";
import { withResponse } from "../../protocols/challenge.ts";
import { frameText, isEmpty, testOf } from "../../protocols/condition.ts";
import type { Expectation, GreetingStep } from "../../protocols/preset.ts";
import type { Body } from "../../protocols/protocol.ts";

/**
 * The verdict of an expect step on a frame. An `other` frame does not concern the step and is handed on as a message.
 */
export type StepMatch = "matched" | "rejected" | "other";

/** A frame that meets both conditions is rejected: a refusal often has the shape of any other reply. */
export function matchStep({ expect }: { readonly expect: Expectation }, frame: Body): StepMatch {
  const seen = frameText(frame);
  if (expect.reject && testOf(expect.reject)(seen)) return "rejected";
  return isEmpty(expect) || testOf(expect)(seen) ? "matched" : "other";
}

/** The frame of a send step: text as it is, any other value as JSON. `expected` is the frame of the step before it. */
export function greetingFrame({ send, challenge }: Pick<GreetingStep, "send" | "challenge">, expected?: Body): string {
  const text = typeof send === "string" ? send : JSON.stringify(send);
  return challenge && expected !== undefined ? withResponse(text, challenge, expected) : text;
}

/** The frames that the greeting and the heartbeat will send, before placeholders and challenges are filled in. */
export function configuredFrames(settings: Pick<UpstreamSettings, "greeting" | "keepalive">): readonly string[] {
  const { heartbeat } = settings.keepalive;
  const sends = settings.greeting.filter((greetingStep) => "send" in greetingStep);
  return [...sends, ...(heartbeat ? [heartbeat] : [])].map((each) => greetingFrame(each));
}
