/**
 * Choosing messages by values inside them: a JSON pointer (RFC 6901), and what must stand there. A value out of an address
 * has no type, so 5 means "5", too, which the conditions of a configuration (when.ts) tell apart.
 */

import { skipSpace } from "./json-check.ts";
import { locate, type Pointer, parsePointer } from "./json-edit.ts";
import { kindOf, stringAt } from "./json-text.ts";

/** `value` as it is written in JSON, or a string's text without its quotes: `5`, `true`, `"tick"` and `tick`. */
export interface Rule {
  readonly pointer: string;
  readonly value: string;
}

/** Whether a text that is one JSON value has all that the rules want. Throws an Error for a pointer that is none. */
export function matcher(rules: readonly Rule[]): (json: string) => boolean {
  const wanted = rules.map(({ pointer, value }): readonly [Pointer, string] => [parsePointer(pointer), value]);
  return (json) => wanted.every(([pointer, value]) => holds(json, pointer, value));
}

function holds(json: string, pointer: Pointer, value: string): boolean {
  const place = locate(json, { start: skipSpace(json, 0), end: json.length }, pointer);
  if (place.type !== "found") return false;
  if (kindOf(json, place.value) === "string" && stringAt(json, place.value) === value) return true;
  return json.slice(place.value.start, place.value.end).trimEnd() === value;
}
