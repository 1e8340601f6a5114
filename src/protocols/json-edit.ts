/**
 * Cutting and pasting in JSON text: finding a value by its pointer, and putting in, swapping or taking out one without
 * touching a byte of the rest. Like `json-text.ts` it works on text that has passed `check`, and what it gives would
 * pass again, as long as the pasted value is JSON itself.
 */

import type { Span } from "./json-check.ts";
import { elements, kindOf, type Member, members } from "./json-text.ts";

/** A JSON pointer (RFC 6901), read into its tokens. */
export type Pointer = readonly string[];

/** Where a pointer leads. */
export type Place =
  /** `holder` is the object that has the value as its member `key`; undefined for an element and for the whole text. */
  | {
      readonly type: "found";
      readonly value: Span;
      readonly holder: { readonly object: Span; readonly key: string } | undefined;
    }
  /** The object `parent` has no member `rest[0]`. */
  | { readonly type: "missing"; readonly parent: Span; readonly rest: Pointer }
  /** A scalar, or an array without that element, stands in the way. */
  | { readonly type: "blocked" }
  /** An object on the way has `key` twice: parsers differ in which one they take, so it must not carry an id. */
  | { readonly type: "duplicate"; readonly key: string };

/** Reads a pointer such as `/params/id`. Throws an Error that says what is wrong with it. */
export function parsePointer(pointer: string): Pointer {
  if (pointer === "") return [];
  if (!pointer.startsWith("/")) throw new Error(`"${pointer}" is not a JSON pointer: it must begin with "/"`);
  if (/~(?![01])/.test(pointer)) throw new Error(`"${pointer}" is not a JSON pointer: write "~0" for "~"`);
  const tokens = pointer.slice(1).split("/");
  return tokens.map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
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
  let left = Number(token);
  for (const element of elements(text, array)) {
    if (left === 0) return element;
    left -= 1;
  }
  return undefined;
}

/** Puts `by` in the place of `span`. */
export function replace(text: string, span: Span, by: string): string {
  return text.slice(0, span.start) + by + text.slice(span.end);
}

/** Puts a member before all others of `object`. `value` is JSON text. */
export function insertFirst(text: string, object: Span, key: string, value: string): string {
  const comma = members(text, object).next().done ? "" : ",";
  const at = object.start + 1;
  return `${text.slice(0, at)}${JSON.stringify(key)}:${value}${comma}${text.slice(at)}`;
}

/** Puts `value` where a missing pointer leads, with the objects that are missing on the way. */
export function insertMissing(text: string, place: Place & { type: "missing" }, value: string): string {
  const [key = "", ...inner] = place.rest;
  const nested = inner.reduceRight((content, name) => `{${JSON.stringify(name)}:${content}}`, value);
  return insertFirst(text, place.parent, key, nested);
}

/** Takes the member `key` out of `object`, with the comma that it makes superfluous. */
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
