/** Frames of the upstream that concern nobody, by rules of the configuration, which every preset takes. */

import { type Condition, compileAny, frameText, readsOf } from "./condition.ts";
import type { Body, Decoded, Protocol } from "./protocol.ts";
import { joinedReads, reading } from "./reads.ts";

/**
 * Adds the rules to a protocol, before all that it does itself. Throws if a pointer is invalid, a condition is empty or
 * a pattern is wrong. Patterns need `preparePatterns`.
 */
export function withIgnored(protocol: Protocol, rules: readonly Condition[] | undefined): Protocol {
  if (rules === undefined || rules.length === 0) return protocol;
  const isIgnored = compileAny(rules);
  return {
    ...protocol,
    decode: reading(
      joinedReads(protocol.decode.reads, ...rules.map(readsOf)),
      (frame: Body, connection?: number): Decoded =>
        isIgnored(frameText(frame)) ? { type: "ignored" } : protocol.decode(frame, connection),
    ),
  };
}
