/**
 * Protocol for text that names no request, with rules that say which frames are its reply.
 *
 * Import this module only when a configuration uses it: the library for its patterns is slow to load.
 */

import { textOf } from "./json-message.ts";
import type { Body, Decoded, Protocol } from "./protocol.ts";
import { encode, type TextOptions } from "./text.ts";
import { demandPatterns, gather, rulesFrom, several } from "./text-rules.ts";

/** Builds the protocol. Throws if a pattern is invalid. */
export function textByOrder(options: TextOptions): Protocol {
  demandPatterns(options);
  const rules = rulesFrom(options);

  function decode(frame: Body): Decoded {
    const { type, met } = rules.judge(textOf(frame));
    if (type === "message") return { type };
    return rules.framed({ type, met }, 0, () => frame, options.collect && gather);
  }

  const maxId = Number.MAX_SAFE_INTEGER;
  return { name: "text", correlation: "order", accepts: "any", maxId, ...several(options), encode, decode };
}
