/** The steps of a greeting, the script of sends and expects that runs on every connection before it counts as ready. */

import type { UpstreamSettings } from "../../config/schema.ts";
import { withResponse } from "../../protocols/challenge.ts";
import { testOf, testOfValues } from "../../protocols/condition.ts";
import { readFrame } from "../../protocols/json-message.ts";
import type { GreetingStep } from "../../protocols/preset.ts";
import type { Body } from "../../protocols/protocol.ts";

/**
 * The verdict of an expect step on a frame. An `other` frame does not concern the step and is handed on as a message.
 */
export type StepMatch = "matched" | "rejected" | "other";

export function matchStep({ expect }: Extract<GreetingStep, { expect: unknown }>, frame: Body): StepMatch {
  const json = readFrame(frame);
  if ("why" in json) return "other";
  if (expect.reject && testOfValues(expect.reject)(json)) return "rejected";
  return testOf(expect)(json) ? "matched" : "other";
}

/** The frame of a send step: text as it is, any other value as JSON. `expected` is the frame of the step before it. */
export function greetingFrame({ send, challenge }: Extract<GreetingStep, { send: unknown }>, expected?: Body): string {
  const text = typeof send === "string" ? send : JSON.stringify(send);
  return challenge && expected !== undefined ? withResponse(text, challenge, expected) : text;
}

/** The frames that the greeting and the heartbeat will send, before placeholders and challenges are filled in. */
export function configuredFrames(settings: Pick<UpstreamSettings, "greeting" | "keepalive">): readonly string[] {
  const { heartbeat } = settings.keepalive;
  const sends = settings.greeting.filter((greetingStep) => "send" in greetingStep);
  return [...sends, ...(heartbeat ? [heartbeat] : [])].map((each) => greetingFrame(each));
}
