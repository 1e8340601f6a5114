/** Extraction of one value from a reply, for callers without a JSON parser. */

import type { Span } from "./json-check.ts";
import { locate, type Pointer, pointerText } from "./json-edit.ts";
import { nameOf, readFrame } from "./json-message.ts";
import { elements, kindOf, members, stringAt } from "./json-text.ts";
import type { Body } from "./protocol.ts";

/** The value at a pointer, as bare text; or the reason why there is none. */
export type Picked = { readonly text: string } | { readonly why: string };

/**
 * Bounds of an error's description of the reply: keys, characters of each key, characters of the upstream's own error.
 */
const KEYS_SHOWN = 10;
const KEY_CHARACTERS = 40;
const ERROR_CHARACTERS = 300;

/**
 * Returns the value at `pointer`: a string without its quotes, any other value as the upstream wrote it. In a reply
 * that carries an `error`, null counts as no value: JSON-RPC 1.0 puts it in place of the result.
 */
export function pick(reply: Body, pointer: Pointer): Picked {
  const json = readFrame(reply);
  if ("why" in json) return { why: `the reply is not JSON: ${json.why}` };
  const { text, root } = json;
  const place = locate(text, root, pointer);
  const kind = place.type === "found" ? kindOf(text, place.value) : undefined;
  const error = kind === undefined || kind === "null" ? errorIn(text, root) : undefined;
  if (error !== undefined) return { why: `the upstream replied with an error: ${error}` };
  if (place.type === "found") {
    const { start, end } = place.value;
    return { text: kind === "string" ? stringAt(text, place.value) : text.slice(start, end) };
  }
  if (place.type === "duplicate") return { why: `the reply has ${JSON.stringify(place.key)} twice on the way` };
  return { why: `the reply has nothing at "${pointerText(pointer)}": ${describeEnd(text, root, pointer)}` };
}

/** Returns the `error` of a reply as it was written. */
function errorIn(text: string, root: Span): string | undefined {
  const place = locate(text, root, ["error"]);
  if (place.type !== "found" || kindOf(text, place.value) === "null") return undefined;
  return shortened(text.slice(place.value.start, place.value.end), ERROR_CHARACTERS);
}

/** Describes the value at the longest prefix of the pointer that leads to one. */
function describeEnd(text: string, root: Span, pointer: Pointer): string {
  let value = root;
  let depth = 0;
  // Token by token, since whole prefixes would be followed from the root again and again.
  for (const token of pointer.slice(0, -1)) {
    const place = locate(text, value, [token]);
    if (place.type !== "found") break;
    value = place.value;
    depth++;
  }
  return `${depth === 0 ? "it" : `"${pointerText(pointer.slice(0, depth))}"`} is ${describe(text, value)}`;
}

function describe(text: string, value: Span): string {
  const kind = kindOf(text, value);
  if (kind === "array") {
    let count = 0;
    for (const _ of elements(text, value)) count++;
    return `an array of ${count}`;
  }
  if (kind !== "object") return nameOf(kind);
  const keys: string[] = [];
  for (const { key } of members(text, value)) {
    if (keys.length === KEYS_SHOWN) {
      keys.push("…");
      break;
    }
    keys.push(JSON.stringify(shortened(key, KEY_CHARACTERS)));
  }
  return keys.length === 0 ? "an empty object" : `an object with ${keys.join(", ")}`;
}

function shortened(text: string, characters: number): string {
  return text.length > characters ? `${text.slice(0, characters)}…` : text;
}
