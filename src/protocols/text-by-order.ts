/**
 * Protocol for text that names no request, with rules that say which frames are its reply.
 *
 * Import this module only when a configuration uses it: the library for its patterns is slow to load.
 */

import { textOf } from "./json-message.ts";
import type { Body, Decoded, Protocol } from "./protocol.ts";
import { encode, type TextOptions } from "./text.ts";
import { classifier, demandPatterns, gather, several } from "./text-rules.ts";

/** Builds the protocol. Throws if a pattern is invalid. */
export function textByOrder(options: TextOptions): Protocol {
  demandPatterns(options);
  const classify = classifier(options);

  function decode(frame: Body): Decoded {
    const type = classify(textOf(frame));
    if (type === "message") return { type };
    if (type === "progress") return { type, id: 0 };
    const render = () => frame;
    return type === "reply" && options.collect ? { type, id: 0, render, gather } : { type, id: 0, render };
  }

  const maxId = Number.MAX_SAFE_INTEGER;
  return { name: "text", correlation: "order", accepts: "any", maxId, ...several(options), encode, decode };
}
