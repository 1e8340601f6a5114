/** The steps of a greeting, the script of sends and expects that runs on every connection before it counts as ready. */

import type { UpstreamSettings } from "../../config/schema.ts";
import { withResponse, withSecret } from "../../protocols/challenge.ts";
import { frameText, isEmpty, testOf } from "../../protocols/condition.ts";
import { textOfScalar } from "../../protocols/json-text.ts";
import type { Expectation, GreetingStep } from "../../protocols/preset.ts";
import type { Body } from "../../protocols/protocol.ts";
import { messageText } from "../../protocols/subscription-request.ts";
import { placeholdersIn } from "../../secrets/placeholders.ts";
import { filledMessage, filledText } from "./captured-texts.ts";
import type { CapturedScalars } from "./captured-values.ts";
import type { Keepalive } from "./liveness.ts";

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

/** True for a step of every connection, and for one of those that resume, or do not, as this one. */
export function isStepOf({ first }: Pick<GreetingStep, "first">, resumes: boolean): boolean {
  return first === undefined || first !== resumes;
}

/**
 * The frame of a send step: text as it is, any other value as JSON. `expected` is the frame of the step before it.
 * @throws ValueMissing, Unanswerable
 */
export function greetingFrame(
  { send, challenge }: Pick<GreetingStep, "send" | "challenge">,
  values: CapturedScalars,
  expected?: Body,
): string {
  const text = filledMessage(send, values);
  if (!challenge || expected === undefined) return text;
  return withResponse(
    text,
    withSecret(challenge, (secret) => filledText(secret, values)),
    expected,
  );
}

/** @throws ValueMissing if `every` is finite although a value is not there */
export function heartbeatFrame({ send }: { readonly send: unknown }, values: CapturedScalars): string {
  return filledMessage(send, values);
}

/** The shortest time between heartbeats that an upstream can bring about, in milliseconds, and the longest. */
const EVERY_MIN_MS = 100;
const EVERY_MAX_MS = 2 ** 31 - 1;

/** The settings with the captured values in them. */
export function keepaliveWith(keepalive: UpstreamSettings["keepalive"], values: CapturedScalars): Keepalive {
  const { heartbeat, ...rest } = keepalive;
  if (heartbeat === null) return { ...rest, heartbeat };
  const isReady = [...namesIn(heartbeat)].every((name) => values.has(name));
  return { ...rest, heartbeat: { ...heartbeat, every: isReady ? intervalOf(heartbeat.every, values) : Infinity } };
}

type HeartbeatSettings = NonNullable<UpstreamSettings["keepalive"]["heartbeat"]>;

/** An interval that is no positive number is none: no heartbeat is due. */
function intervalOf(every: HeartbeatSettings["every"], values: CapturedScalars): number {
  if (typeof every === "number") return every;
  const number = Number(textOfScalar(values.get(every.value) ?? ""));
  if (!(number > 0)) return Infinity;
  return Math.min(EVERY_MAX_MS, Math.max(EVERY_MIN_MS, Math.round(number * every.unitMs)));
}

/** The names of captured values in the message of a heartbeat, by the settings, which do not change. */
const namesByHeartbeat = new WeakMap<object, ReadonlySet<string>>();

function namesIn(heartbeat: HeartbeatSettings): ReadonlySet<string> {
  const known = namesByHeartbeat.get(heartbeat);
  if (known) return known;
  const names = placeholdersIn(heartbeat.send).captured;
  namesByHeartbeat.set(heartbeat, names);
  return names;
}

/** The frames that a connection will send by itself, before placeholders and challenges are filled in. */
export function configuredFrames(
  settings: Pick<UpstreamSettings, "greeting" | "farewell" | "keepalive">,
): readonly string[] {
  const { heartbeat } = settings.keepalive;
  const sends = [...settings.greeting, ...settings.farewell].filter((each) => "send" in each);
  return [...sends, ...(heartbeat ? [heartbeat] : [])].map(({ send }) => messageText(send));
}
