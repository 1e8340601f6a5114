/**
 * Edits of JSON text that find, insert, replace or remove one value and leave every other byte untouched.
 *
 * Like `json-text.ts`, they require text that passed `check`. The result would pass again if the inserted value is
 * JSON.
 */

import type { Span } from "./json-check.ts";
import { elements, kindOf, type Member, members } from "./json-text.ts";

/** The tokens of a JSON pointer (RFC 6901). */
export type Pointer = readonly string[];

/** The result of following a pointer. */
export type Place =
  /**
   * `holder` is the object with the value as its member `key`; undefined for an array element and for the whole text.
   */
  | {
      readonly type: "found";
      readonly value: Span;
      readonly holder: { readonly object: Span; readonly key: string } | undefined;
    }
  /** The object `parent` has no member `rest[0]`. */
  | { readonly type: "missing"; readonly parent: Span; readonly rest: Pointer }
  /** A scalar, or an array without that element, is in the way. */
  | { readonly type: "blocked" }
  /** An object on the way has `key` twice. Parsers differ in which one they take, so it must not carry an id. */
  | { readonly type: "duplicate"; readonly key: string };

/** Parses a pointer such as `/params/id`. Throws an Error with the fault if it is invalid. */
export function parsePointer(pointer: string): Pointer {
  if (pointer === "") return [];
  if (!pointer.startsWith("/")) throw new Error(`"${pointer}" is not a JSON pointer: it must begin with "/"`);
  if (/~(?![01])/.test(pointer)) throw new Error(`"${pointer}" is not a JSON pointer: write "~0" for "~"`);
  const tokens = pointer.slice(1).split("/");
  return tokens.map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** Returns a pointer in its written form. */
export function pointerText(pointer: Pointer): string {
  return pointer.map((token) => `/${token.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

/** Follows `pointer` from `root`. */
export function locate(text: string, root: Span, pointer: Pointer): Place {
  let value = root;
  let holder: { readonly object: Span; readonly key: string } | undefined;
  for (const [depth, token] of pointer.entries()) {
    let child: Span | undefined;
    const kind = kindOf(text, value);
    if (kind === "array") child = elementAt(text, value, token);
    if (kind === "object") {
      for (const member of members(text, value)) {
        if (member.key !== token) continue;
        if (child !== undefined) return { type: "duplicate", key: token };
        child = member.value;
      }
      if (child === undefined) return { type: "missing", parent: value, rest: pointer.slice(depth) };
    }
    if (child === undefined) return { type: "blocked" };
    holder = kind === "object" ? { object: value, key: token } : undefined;
    value = child;
  }
  return { type: "found", value, holder };
}

function elementAt(text: string, array: Span, token: string): Span | undefined {
  if (!/^(?:0|[1-9]\d*)$/.test(token)) return undefined;
  let remaining = Number(token);
  for (const element of elements(text, array)) {
    if (remaining === 0) return element;
    remaining -= 1;
  }
  return undefined;
}

/** Replaces `span` with `by`. */
export function replace(text: string, span: Span, by: string): string {
  return text.slice(0, span.start) + by + text.slice(span.end);
}

/** Inserts a member before all others of `object`. `value` is JSON text. */
export function insertFirst(text: string, object: Span, key: string, value: string): string {
  const comma = members(text, object).next().done ? "" : ",";
  const at = object.start + 1;
  return `${text.slice(0, at)}${JSON.stringify(key)}:${value}${comma}${text.slice(at)}`;
}

/** Inserts `value` at a missing pointer, and creates the objects that are missing on the way. */
export function insertMissing(text: string, place: Place & { type: "missing" }, value: string): string {
  const [key = "", ...inner] = place.rest;
  const nested = inner.reduceRight((content, name) => `{${JSON.stringify(name)}:${content}}`, value);
  return insertFirst(text, place.parent, key, nested);
}

/** Removes the member `key` from `object`, with the comma that becomes redundant. */
export function remove(text: string, object: Span, key: string): string {
  let before: Member | undefined;
  let target: Member | undefined;
  for (const member of members(text, object)) {
    if (target !== undefined) return cut(text, target.name.start, member.name.start);
    if (member.key === key) target = member;
    else before = member;
  }
  if (target === undefined) return text;
  return cut(text, before?.value.end ?? target.name.start, target.value.end);
}

function cut(text: string, start: number, end: number): string {
  return text.slice(0, start) + text.slice(end);
}
