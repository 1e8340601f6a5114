import type { UpstreamSettings } from "../config/schema.ts";
import type { Body } from "../protocols/protocol.ts";

/** The greeting: a script of send and expect steps, run on every connect before the upstream counts as ready. */

type Step = UpstreamSettings["greeting"][number];

/** What one frame means to an expect step. `other` frames are none of its business: they are handed on as messages. */
export type Answer = "matched" | "rejected" | "other";

export function answer(step: Extract<Step, { expect: unknown }>, frame: Body): Answer {
  const value = parse(frame);
  const { match, reject } = step.expect;
  if (reject && matches(value, reject)) return "rejected";
  return matches(value, match) ? "matched" : "other";
}

/** Whether the frame has all of the values, each where its JSON pointer says. */
export function matchesFrame(frame: Body, rule: Readonly<Record<string, unknown>>): boolean {
  return matches(parse(frame), rule);
}

/** A text goes out as it is; anything else as its JSON. */
export function greetingFrame(step: { readonly send: unknown }): string {
  return typeof step.send === "string" ? step.send : JSON.stringify(step.send);
}

function matches(value: unknown, rule: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(rule).every(([pointer, wanted]) => at(value, pointer) === wanted);
}

/** The value at a JSON pointer (RFC 6901); undefined when there is none. Own members only. */
function at(value: unknown, pointer: string): unknown {
  let here = value;
  for (const part of pointer.split("/").slice(1)) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof here !== "object" || here === null || !Object.hasOwn(here, key)) return undefined;
    here = (here as Record<string, unknown>)[key];
  }
  return here;
}

function parse(frame: Body): unknown {
  try {
    return JSON.parse(typeof frame === "string" ? frame : new TextDecoder().decode(frame));
  } catch {
    return undefined;
  }
}
