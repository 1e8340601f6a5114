/** Errors of the upstream that name no request, by a rule of the configuration. */

import { type Condition, compile, detailIn, type FrameText } from "./condition.ts";
import type { DecodedError } from "./protocol.ts";

/** The way to treat an error that names no request. */
export const ERROR_DEEDS = ["fail_oldest", "message", "fail_all"] as const;

export interface ErrorRule {
  readonly when: Condition;
  readonly do: (typeof ERROR_DEEDS)[number];
}

/** Compiles the rule: the returned function knows the errors that fail requests. Throws if the condition is invalid. */
export function unnamedErrors(rule: ErrorRule | undefined): (frame: FrameText) => DecodedError | undefined {
  if (rule === undefined || rule.do === "message") return () => undefined;
  const { when } = rule;
  const holds = compile(when);
  const fails = rule.do === "fail_all" ? "all" : "oldest";
  return (frame) => {
    if (!holds(frame)) return undefined;
    const detail = detailIn(frame, when);
    return { type: "error", fails, ...(detail !== undefined && { detail }) };
  };
}
