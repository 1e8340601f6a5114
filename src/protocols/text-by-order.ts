/** Protocol for text that names no request, with rules that say which frames are its reply. */

import { frameText } from "./condition.ts";
import { FrameRules } from "./frame-rules.ts";
import type { Body, Decoded, Protocol } from "./protocol.ts";
import { encode, ending, gather, several, type TextOptions } from "./text.ts";

/** Builds the protocol. Throws if a pointer is invalid or a condition is empty. */
export function textByOrder(options: TextOptions): Protocol {
  const rules = new FrameRules(options);

  function decode(frame: Body): Decoded {
    const { type, met } = rules.judge(frameText(frame));
    if (type === "message") return { type };
    return rules.framed({ type, met }, 0, () => frame, options.collect && gather);
  }

  const maxId = Number.MAX_SAFE_INTEGER;
  const ways = { ...several(options), ...ending(options), encode, decode };
  return { name: "text", correlation: "order", accepts: "any", maxId, ...ways };
}
