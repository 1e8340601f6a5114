/**
 * Walks over JSON text, without parsing it into values.
 *
 * Ids are exchanged by editing text, so the rest of a message stays byte for byte as its author wrote it: numbers
 * beyond 2^53, the order of keys, white space. `JSON.parse` and `JSON.stringify` lose all three. The text must have
 * passed `check`, so the walk need not inspect the values that it skips: a long string costs one `indexOf`.
 */

import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  SPACE,
  type Span,
  skipSpace,
  stringEnd,
} from "./json-check.ts";
import { outlineOf } from "./outline.ts";

/** One member of an object. */
export interface Member {
  /** The key with its escapes resolved, so that `"\u0069d"` equals `id`. */
  readonly key: string;
  /** The key as written, quotes included. */
  readonly name: Span;
  readonly value: Span;
}

export type JsonKind = "object" | "array" | "string" | "number" | "boolean" | "null";

/** Returns the kind of the value at the start of the span. */
export function kindOf(text: string, value: Span): JsonKind {
  switch (text[value.start]) {
    case "{":
      return "object";
    case "[":
      return "array";
    case '"':
      return "string";
    case "t":
    case "f":
      return "boolean";
    case "n":
      return "null";
    default:
      return "number";
  }
}

/** The text of a scalar: a string without its quotes, any other as it is written. */
export function textOfScalar(json: string): string {
  return json.startsWith('"') ? (JSON.parse(json) as string) : json;
}

/** Yields the members of an object in order, duplicates included. Lazy: a huge object costs no memory. */
export function* members(text: string, object: Span): Generator<Member, void> {
  let at = skipSpace(text, object.start + 1);
  while (text.charCodeAt(at) === QUOTE) {
    const name = { start: at, end: valueEnd(text, at) };
    const start = skipSpace(text, skipSpace(text, name.end) + 1);
    const end = valueEnd(text, start);
    yield { key: stringAt(text, name), name, value: { start, end } };
    at = skipSpace(text, end);
    if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1);
  }
}

/** Yields the elements of an array in order. */
export function* elements(text: string, array: Span): Generator<Span, void> {
  let at = skipSpace(text, array.start + 1);
  while (text.charCodeAt(at) !== CLOSE_BRACKET) {
    const end = valueEnd(text, at);
    yield { start: at, end };
    at = skipSpace(text, end);
    if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1);
  }
}

/** Returns the string at a span, with its escapes resolved. */
export function stringAt(text: string, string: Span): string {
  const inner = text.slice(string.start + 1, string.end - 1);
  return inner.includes("\\") ? (JSON.parse(text.slice(string.start, string.end)) as string) : inner;
}

/** Returns the key that begins at `name`, with its escapes resolved. */
export function keyAt(text: string, name: number): string {
  return stringAt(text, { start: name, end: valueEnd(text, name) });
}

/** Returns the end of the value that begins at `start`. */
export function valueEnd(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === QUOTE) return stringEnd(text, start) ?? text.length;
  if (isOpener(first)) return outlineOf(text)?.ends.get(start) ?? containerEnd(text, start);
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === COMMA || code <= SPACE || isCloser(code)) return at;
  }
  return text.length;
}

/** Only depth counts: `check` has matched braces and brackets already. */
function containerEnd(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = (stringEnd(text, at) ?? text.length) - 1;
    } else if (isOpener(code)) {
      depth += 1;
    } else if (isCloser(code)) {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return text.length;
}

/** A brace differs from its bracket by this one bit, which saves a comparison per character. */
const BRACE_BIT = OPEN_BRACE ^ OPEN_BRACKET;

export function isOpener(code: number): boolean {
  return (code | BRACE_BIT) === OPEN_BRACE;
}

export function isCloser(code: number): boolean {
  return (code | BRACE_BIT) === CLOSE_BRACE;
}
