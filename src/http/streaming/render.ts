/** Renderings of messages and gaps: members of a JSON page, ndjson lines, server-sent events. */

import { cursorText, type Gap, type JournalEntry, type Message, type Page } from "../../core/messages/journal.ts";
import { base64Of } from "../../protocols/bytes.ts";
import type { UpstreamMessage } from "../../sidecar/upstream-message.ts";

/** `{ cursor, at, data }` or `{ cursor, at, gap }`, on one line. */
export function jsonOf(epoch: string, entry: JournalEntry): string {
  return itemJson(cursorText({ epoch, seq: entry.seq }), new Date(entry.at), entry);
}

/** The same for a message as readers of the library have it. */
export function lineOf(message: UpstreamMessage): string {
  return itemJson(message.cursor, message.at, message);
}

/** The content of an entry, with its place and time left out. */
type EntryContent = Pick<Message, "kind" | "data" | "reply"> | Pick<Gap, "gap">;

function itemJson(cursor: string, at: Date, entry: EntryContent): string {
  const head = `{"cursor":"${cursor}","at":"${at.toISOString()}"`;
  if ("gap" in entry) return `${head},"gap":${gapJson(entry.gap)}}`;
  const { kind, data, reply } = entry;
  const replyField = reply === undefined ? "" : `,"reply":"${reply}"`;
  switch (kind) {
    case "json":
      return `${head}${replyField},"data":${oneLine(data as string)}}`;
    case "text":
      return `${head}${replyField},"data":${jsonText(data)}}`;
    case "binary":
      return `${head}${replyField},"encoding":"base64","data":"${base64Of(data as Uint8Array)}"}`;
  }
}

/** One event. Its `id` is the cursor after it, which a reconnecting client sends as `Last-Event-ID`. */
export function eventOf(epoch: string, entry: JournalEntry): string {
  const id = cursorText({ epoch, seq: entry.seq });
  if ("gap" in entry) return event("gap", id, gapJson(entry.gap));
  // An event of its own in front, without an id: a client that resumes between the two gets both.
  const replyEvent =
    entry.reply === undefined ? "" : event("reply", undefined, jsonText({ cursor: id, reply: entry.reply }));
  if (entry.kind === "binary") return replyEvent + event("binary", id, base64Of(entry.data as Uint8Array));
  const text = entry.data as string;
  return replyEvent + event("message", id, entry.kind === "json" ? escapeSeparators(text) : text);
}

export function event(name: string, id: string | undefined, data: string): string {
  const texts = hasLineEnd(data) ? data.split(/\r\n|\r|\n/) : [data];
  const lines = texts.map((line) => `data: ${line}\n`);
  return `${id === undefined ? "" : `id: ${id}\n`}event: ${name}\n${lines.join("")}\n`;
}

/** Renders pages, each once however many readers get it. */
export function rendered(render: (epoch: string, entry: JournalEntry) => string): (page: Page) => Uint8Array {
  const cache = new WeakMap<Page, Uint8Array>();
  const encoder = new TextEncoder();
  return (page) => {
    const cached = cache.get(page);
    if (cached) return cached;
    const bytes = encoder.encode(page.entries.map((entry) => render(page.epoch, entry)).join(""));
    cache.set(page, bytes);
    return bytes;
  };
}

function gapJson({ from, to, why, filled, ...place }: Extract<JournalEntry, { gap: unknown }>["gap"]) {
  const { after, before, dropped, reason } = place;
  return jsonText({ after, before, dropped, reason, from: time(from), to: time(to), filled, why });
}

function time(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

/** Puts JSON on one line. Line breaks cannot occur inside its strings, so each is insignificant white space. */
export function oneLine(json: string): string {
  return escapeSeparators(hasLineEnd(json) ? json.replaceAll(/[\r\n]+/g, " ") : json);
}

/** To look for one character is ten times faster than a pattern of several, and most texts have none of them. */
function hasLineEnd(text: string): boolean {
  return text.includes("\n") || text.includes("\r");
}

const SEPARATORS = ["\u0085", "\u2028", "\u2029"] as const;

/**
 * Escapes the characters at which line readers of other languages break a line, although JSON allows them in a string:
 * NEL, LS and PS (Python's `splitlines`, Java's `Scanner`). Outside of strings JSON has none of them.
 */
export function escapeSeparators(json: string): string {
  return SEPARATORS.some((each) => json.includes(each)) ? json.replaceAll(/[\u0085\u2028\u2029]/g, escaped) : json;
}

function escaped(separator: string): string {
  return `\\u${separator.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** The JSON of a value for a line or an event. */
export function jsonText(value: unknown): string {
  return escapeSeparators(JSON.stringify(value));
}
