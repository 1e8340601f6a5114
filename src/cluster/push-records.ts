/** The record of how far an upstream's webhooks have come, which people may read with the tools of their server. */

import type { PushRecord } from "../core/cluster/push-record.ts";
import { type Cursor, cursorText, parseCursor } from "../core/messages/journal.ts";
import { headOf, malformed, parsed } from "./member-messages.ts";

const encoder = new TextEncoder();

export function encodePushRecord({ by, places }: PushRecord): Uint8Array<ArrayBuffer> {
  const texts = Object.fromEntries([...places].map(([webhook, place]) => [webhook, cursorText(place)]));
  return encoder.encode(JSON.stringify({ by, places: texts }));
}

/** @throws MalformedMessage */
export function decodePushRecord(bytes: Uint8Array): PushRecord {
  const { by, places } = headOf(parsed(bytes));
  if (typeof by !== "string") throw malformed("not the record of what was pushed");
  return { by, places: new Map(Object.entries(headOf(places)).map(([webhook, text]) => [webhook, placeOf(text)])) };
}

function placeOf(text: unknown): Cursor {
  const place = typeof text === "string" ? parseCursor(text) : undefined;
  if (!place) throw malformed("not a cursor");
  return place;
}
