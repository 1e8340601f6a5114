/** The comparison of a live message with a recorded one: as JSON where both are, and with what was masked left open. */

import { textOf } from "../protocols/json-message.ts";
import type { Pointer } from "../protocols/json-place.ts";
import type { Body } from "../protocols/protocol.ts";
import { REDACTED } from "../secrets/secrets.ts";

/** A message in a form that can be compared. */
export type Comparable =
  | { readonly json: unknown }
  | { readonly text: string }
  /** Bytes that are not UTF-8. */
  | { readonly bytes: Uint8Array };

/** @param ignored the places in JSON that are not compared */
export function comparable(message: Body, ignored: readonly Pointer[]): Comparable {
  const text = textOf(message);
  if (text === undefined) return { bytes: message as Uint8Array };
  try {
    const json: unknown = JSON.parse(text);
    for (const pointer of ignored) forget(json, pointer);
    return { json };
  } catch {
    return { text };
  }
}

function forget(json: unknown, pointer: Pointer): void {
  const last = pointer.at(-1);
  let holder = json;
  for (const token of pointer.slice(0, -1)) holder = isObject(holder) ? holder[token] : undefined;
  if (!isObject(holder) || last === undefined || !Object.hasOwn(holder, last)) return;
  // Elements of an array keep their places.
  if (Array.isArray(holder)) holder[last as unknown as number] = null;
  else delete holder[last];
}

/** True if the live message is the recorded one. Whatever was masked may be any text. */
export function isSame(recorded: Comparable, live: Comparable): boolean {
  if ("json" in recorded) return "json" in live && isSameValue(recorded.json, live.json);
  if ("text" in recorded) return "text" in live && fits(recorded.text, live.text);
  return "bytes" in live && hasSameBytes(recorded.bytes, live.bytes);
}

/** Compares by lists of what is left, so that deep values need no deep stack. */
function isSameValue(recorded: unknown, live: unknown): boolean {
  const left: (readonly [recorded: unknown, live: unknown])[] = [[recorded, live]];
  for (let pair = left.pop(); pair; pair = left.pop()) {
    const [one, other] = pair;
    if (one === REDACTED || Object.is(one, other)) continue;
    if (typeof one === "string" && typeof other === "string" && fits(one, other)) continue;
    if (!isObject(one) || !isObject(other) || Array.isArray(one) !== Array.isArray(other)) return false;
    const keys = Object.keys(one);
    if (keys.length !== Object.keys(other).length) return false;
    for (const key of keys) {
      if (!Object.hasOwn(other, key)) return false;
      left.push([one[key], other[key]]);
    }
  }
  return true;
}

/** True if the live text has the recorded one's parts, with anything in place of what was masked. */
function fits(recorded: string, live: string): boolean {
  if (recorded === live) return true;
  const [first = "", ...rest] = recorded.split(REDACTED);
  const last = rest.pop();
  if (last === undefined || !live.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = live.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return live.length - last.length >= at && live.endsWith(last);
}

function hasSameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
