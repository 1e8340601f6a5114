/** Extraction of one value from a reply, for callers without a JSON parser. */

import { Check, JsonFault, type Span } from "./json-check.ts";
import { nameOf, textOf } from "./json-message.ts";
import { locateInSteps, type Place, type Pointer, parsePointer, pointerText } from "./json-place.ts";
import { elements, kindOf, members, stringAt } from "./json-text.ts";
import { inSteps } from "./outline.ts";
import type { Body } from "./protocol.ts";

/** The value at a pointer, as bare text; or the reason why there is none. */
export type Picked = { readonly text: string } | { readonly why: string };

/** Bounds of a pointer that comes with a request, in characters and in tokens. */
const POINTER_CHARACTERS = 1_024;
const POINTER_TOKENS = 64;

/**
 * Bounds of an error's description of the reply: keys, characters of each key, characters of the upstream's own error,
 * and the characters of a value that is looked at for it.
 */
const KEYS_SHOWN = 10;
const KEY_CHARACTERS = 40;
const ERROR_CHARACTERS = 300;
const DESCRIBED_CHARACTERS = 64 * 1024;

/** Parses a caller's pointer. Throws an Error with the fault if it is invalid, or longer than any reply needs. */
export function parseCallersPointer(text: string): Pointer {
  if (text.length > POINTER_CHARACTERS) throw new Error(`it is longer than ${POINTER_CHARACTERS} characters`);
  const pointer = parsePointer(text);
  if (pointer.length > POINTER_TOKENS) throw new Error(`it has more than ${POINTER_TOKENS} tokens`);
  return pointer;
}

/**
 * Returns the value at `pointer`: a string without its quotes, any other value as the upstream wrote it. In a reply
 * that carries an `error`, null counts as no value: JSON-RPC 1.0 puts it in place of the result.
 */
export function pick(reply: Body, pointer: Pointer): Picked {
  const steps = pickInSteps(reply, pointer);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Like {@link pick}, and yields where other work may be done, for replies that take too long at once. */
export function* pickInSteps(reply: Body, pointer: Pointer): Generator<undefined, Picked> {
  const text = textOf(reply);
  if (text === undefined) return { why: "the reply is not JSON: the bytes are not UTF-8" };
  const checking = new Check(text);
  try {
    yield* inSteps(checking);
  } catch (error) {
    if (error instanceof JsonFault) return { why: `the reply is not JSON: ${error.message}` };
    throw error;
  }
  const { root } = checking;
  const place = yield* locateInSteps(text, root, pointer);
  const kind = place.type === "found" ? kindOf(text, place.value) : undefined;
  if (kind === undefined || kind === "null") {
    const error = errorAt(text, yield* locateInSteps(text, root, ["error"]));
    if (error !== undefined) return { why: `the upstream replied with an error: ${error}` };
  }
  switch (place.type) {
    case "found": {
      const { start, end } = place.value;
      return { text: kind === "string" ? stringAt(text, place.value) : text.slice(start, end) };
    }
    case "duplicate":
      return { why: `the reply has ${JSON.stringify(place.key)} twice on the way` };
    case "missing":
      return { why: nothingAt(text, pointer, place.parent, place.rest) };
    case "blocked":
      return { why: nothingAt(text, pointer, place.value, place.rest) };
  }
}

/** Returns the `error` of a reply as it was written. */
function errorAt(text: string, place: Place): string | undefined {
  if (place.type !== "found" || kindOf(text, place.value) === "null") return undefined;
  return shortened(text.slice(place.value.start, place.value.end), ERROR_CHARACTERS);
}

/** Describes `last`, the value at the longest prefix of the pointer that leads to one. */
function nothingAt(text: string, pointer: Pointer, last: Span, rest: Pointer): string {
  const way = pointer.slice(0, pointer.length - rest.length);
  const subject = way.length === 0 ? "it" : `"${pointerText(way)}"`;
  return `the reply has nothing at "${pointerText(pointer)}": ${subject} is ${describe(text, last)}`;
}

function describe(text: string, value: Span): string {
  const kind = kindOf(text, value);
  const isLarge = value.end - value.start > DESCRIBED_CHARACTERS;
  if (kind === "array" && !isLarge) {
    let count = 0;
    for (const _ of elements(text, value)) count++;
    return `an array of ${count}`;
  }
  if (kind !== "object" || isLarge) return nameOf(kind);
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
