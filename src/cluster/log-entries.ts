/** The entries of an upstream's log, as bytes. */

import type { JournalPlace, LogBatch, LogItem, LogLife } from "../core/cluster/log-batch.ts";
import type { GapDetails, GapReason, MessageKind } from "../core/messages/journal.ts";
import type { Body } from "../protocols/protocol.ts";
import { type Head, headOf, isCount, malformed, nextOf, pack, unpack } from "./member-messages.ts";

export function encodeBatch({ items, ...head }: LogBatch): Uint8Array<ArrayBuffer> {
  const bodies: Body[] = [];
  const heads = items.map((item) => {
    if ("gap" in item) return item;
    const { data, ...rest } = item;
    bodies.push(data);
    return rest;
  });
  return pack({ type: "batch", ...head, items: heads }, bodies);
}

/** @throws MalformedMessage */
export function decodeBatch(bytes: Uint8Array): LogBatch {
  const { head, bodies } = unpack(bytes);
  const { type, term, epoch, life, journals, items, closed } = head;
  if (type !== "batch" || !isNumber(term) || typeof epoch !== "string") throw malformed("not a batch of a log");
  if (!Array.isArray(journals) || !Array.isArray(items) || !isNames(closed)) throw malformed("not a list of a log");
  const rest = [...bodies];
  const batch = {
    term,
    epoch,
    life: life === undefined ? undefined : lifeOf(headOf(life)),
    journals: journals.map((place) => placeOf(headOf(place))),
    items: items.map((item) => itemOf(headOf(item), rest)),
    closed,
  };
  if (rest.length > 0) throw malformed("more bodies than the message has places");
  return batch;
}

function lifeOf({ from, at, why, first = 1 }: Head): LogLife {
  if (!isTime(from) || !isTime(at) || typeof why !== "string") throw malformed("not the beginning of a term");
  if (!isNumber(first)) throw malformed("not the first number of a term");
  return { from, at, why, first };
}

function placeOf({ name, epoch, next }: Head): JournalPlace {
  if (typeof name !== "string" || typeof epoch !== "string" || !isNumber(next)) throw malformed("not a journal");
  return { name, epoch, next };
}

function itemOf({ journal, at, kind, gap, tag }: Head, bodies: Body[]): LogItem {
  if (typeof journal !== "string" || !isTime(at)) throw malformed("not an item of a journal");
  if (gap !== undefined) return { journal, at, gap: gapOf(headOf(gap)) };
  if (!isKind(kind)) throw malformed("not a kind of message");
  return { journal, at, kind, data: nextOf(bodies), ...(isCount(tag) && { tag }) };
}

function gapOf({ dropped, reason, from, to, filled, why }: Head): GapDetails {
  if ((dropped !== null && !isCount(dropped)) || typeof reason !== "string") throw malformed("not a gap");
  return {
    dropped,
    // Of a newer version it may be one that we do not know: readers see it as it is.
    reason: reason as GapReason,
    ...(isTime(from) && { from }),
    ...(isTime(to) && { to }),
    ...(typeof filled === "boolean" && { filled }),
    ...(typeof why === "string" && { why }),
  };
}

/** Numbers grow by one, or to the time of a term: a far greater one would leave none for those that follow. */
function isNumber(value: unknown): value is number {
  return isCount(value) && value <= 2 ** 48;
}

/** True for a time that a Date can have. */
function isTime(value: unknown): value is number {
  return typeof value === "number" && Math.abs(value) <= 8.64e15;
}

function isKind(value: unknown): value is MessageKind {
  return value === "json" || value === "text" || value === "binary";
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((name) => typeof name === "string");
}
