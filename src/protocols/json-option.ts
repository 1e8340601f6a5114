/** Options of dialects that hold a JSON object, as a text. */

import { MAX_MESSAGE_DEPTH, readMessage } from "./json-message.ts";
import { kindOf } from "./json-text.ts";

/** The nesting that is left for an option within a message. */
const DEPTH_MAX = MAX_MESSAGE_DEPTH - 8;

/** The form of such an option. */
export const JSON_OBJECT = {
  pattern: { test: isUsable },
  must: 'must be a JSON object, such as {"key": "value"}',
} as const;

/** The object of an option of this form; undefined without one. */
export function objectOf(option: string | undefined): Readonly<Record<string, unknown>> | undefined {
  return option === undefined ? undefined : JSON.parse(option);
}

function isUsable(option: string): boolean {
  try {
    const { text, root } = readMessage(option, DEPTH_MAX);
    return kindOf(text, root) === "object";
  } catch {
    return false;
  }
}
