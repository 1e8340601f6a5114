/** Messages of callers that nothing answers, by rules of the configuration, which every preset takes. */

import { type Condition, compileAny, frameText } from "./condition.ts";
import { readMessage } from "./json-message.ts";
import type { Protocol } from "./protocol.ts";

/**
 * Adds the rules to a protocol: a message that meets one goes out as it is, and is done once it is written. Throws if a
 * pointer is invalid, a condition is empty or a pattern is wrong. Patterns need `preparePatterns`.
 */
export function withSends(protocol: Protocol, rules: readonly Condition[] | undefined): Protocol {
  if (rules === undefined || rules.length === 0) return protocol;
  const isUnanswered = compileAny(rules);
  return {
    ...protocol,
    encode(message, id, route, connection) {
      const frame = protocol.accepts === "json" ? readMessage(message) : frameText(message);
      if (!isUnanswered(frame)) return protocol.encode(message, id, route, connection);
      return { frame: message, expectsReply: false, unanswered: true };
    },
  };
}
