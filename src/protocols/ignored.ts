/** Frames of the upstream that concern nobody, by rules of the configuration, which every preset takes. */

import { type Condition, compileAny, frameText } from "./condition.ts";
import type { Protocol } from "./protocol.ts";

/**
 * Adds the rules to a protocol, before all that it does itself. Throws if a pointer is invalid, a condition is empty or
 * a pattern is wrong. Patterns need `preparePatterns`.
 */
export function withIgnored(protocol: Protocol, rules: readonly Condition[] | undefined): Protocol {
  if (rules === undefined || rules.length === 0) return protocol;
  const isIgnored = compileAny(rules);
  return {
    ...protocol,
    decode: (frame, connection) =>
      isIgnored(frameText(frame)) ? { type: "ignored" } : protocol.decode(frame, connection),
  };
}
