/**
 * Edits of JSON text that insert, replace or remove one value and leave every other byte untouched.
 *
 * Like `json-text.ts`, they require text that passed `check`. The result would pass again if the inserted value is
 * JSON.
 */

import type { Span } from "./json-check.ts";
import type { Place } from "./json-place.ts";
import { type Member, members } from "./json-text.ts";
import { edited } from "./outline.ts";

/** Replaces `span` with `by`. */
export function replace(text: string, span: Span, by: string): string {
  return edited(text, span, by);
}

/** Inserts a member before all others of `object`. `value` is JSON text. */
export function insertFirst(text: string, object: Span, key: string, value: string): string {
  const comma = members(text, object).next().done ? "" : ",";
  const at = object.start + 1;
  return edited(text, { start: at, end: at }, `${JSON.stringify(key)}:${value}${comma}`);
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
    if (target !== undefined) return edited(text, { start: target.name.start, end: member.name.start }, "");
    if (member.key === key) target = member;
    else before = member;
  }
  if (target === undefined) return text;
  return edited(text, { start: before?.value.end ?? target.name.start, end: target.value.end }, "");
}
