/** The rules that take values out of frames, and the facts of the settings that decide what becomes of a value. */

import { placeholdersIn } from "../secrets/placeholders.ts";
import type { Condition } from "./condition.ts";

export interface CaptureRule {
  readonly when: Condition;
  /** Places by name; null forgets the value. */
  readonly values: Readonly<Record<string, string | null>>;
  /** True if the next connection begins with them. */
  readonly keep?: boolean | undefined;
  /** True if they must not be shown. */
  readonly secret?: boolean | undefined;
}

/** A duration whose number is a captured value. */
export interface DurationOfValue {
  readonly value: string;
  readonly unitMs: number;
}

interface CaptureSettings {
  readonly capture: readonly CaptureRule[];
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly greeting: readonly { readonly send?: unknown; readonly first?: boolean | undefined }[];
}

/** A mark of one rule counts for the value, whatever other rules of the same name say. */
export interface CapturePlan {
  readonly rules: readonly CaptureRule[];
  readonly names: ReadonlySet<string>;
  readonly kept: ReadonlySet<string>;
  readonly secret: ReadonlySet<string>;
  /** The kept values that a connection needs to resume. Without any, connections never do. */
  readonly resuming: ReadonlySet<string>;
}

export function capturePlan({ capture, url, headers, greeting }: CaptureSettings): CapturePlan {
  const namesOf = (rules: readonly CaptureRule[]) => new Set(rules.flatMap(({ values }) => Object.keys(values)));
  const kept = namesOf(capture.filter(({ keep }) => keep));
  const resumed = greeting.filter(({ first }) => first === false).map(({ send }) => send);
  const used = placeholdersIn([url, headers, resumed]).captured;
  return {
    rules: capture,
    names: namesOf(capture),
    kept,
    secret: namesOf(capture.filter(({ secret }) => secret)),
    resuming: new Set([...used].filter((name) => kept.has(name))),
  };
}
