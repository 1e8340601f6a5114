/**
 * Edits of JSON text that insert, replace or remove one value and leave every other byte untouched.
 *
 * Like `json-text.ts`, they require text that passed `check`. The result would pass again if the inserted value is
 * JSON.
 */

import type { Span } from "./json-check.ts";
import type { Place } from "./json-place.ts";
import { type Member, members } from "./json-text.ts";

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
