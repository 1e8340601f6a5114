import { cursorText, type JournalEntry, type Page } from "../../core/messages/journal.ts";

/** Messages and gaps as text: members of a JSON page, lines of ndjson, events of a stream (SSE). */

/** `{ cursor, at, data }` or `{ cursor, at, gap }`, on one line. */
export function jsonOf(epoch: string, entry: JournalEntry): string {
  const cursor = cursorText({ epoch, seq: entry.seq });
  const head = `{"cursor":"${cursor}","at":"${new Date(entry.at).toISOString()}"`;
  if ("gap" in entry) return `${head},"gap":${gapJson(entry.gap)}}`;
  switch (entry.kind) {
    case "json":
      return `${head},"data":${oneLine(entry.data as string)}}`;
    case "text":
      return `${head},"data":${JSON.stringify(entry.data)}}`;
    case "binary":
      return `${head},"encoding":"base64","data":"${base64(entry.data as Uint8Array)}"}`;
  }
}

/** One event. Its `id` is the cursor behind it, which a client that comes again sends as `Last-Event-ID`. */
export function eventOf(epoch: string, entry: JournalEntry): string {
  const id = cursorText({ epoch, seq: entry.seq });
  if ("gap" in entry) return event("gap", id, gapJson(entry.gap));
  if (entry.kind === "binary") return event("binary", id, base64(entry.data as Uint8Array));
  return event("message", id, entry.data as string);
}

export function event(name: string, id: string | undefined, data: string): string {
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  return `${id === undefined ? "" : `id: ${id}\n`}event: ${name}\n${lines.join("")}\n`;
}

/** A page's text in one form: made once, however many readers get it. */
export function rendered(render: (epoch: string, entry: JournalEntry) => string): (page: Page) => Uint8Array {
  const done = new WeakMap<Page, Uint8Array>();
  const encoder = new TextEncoder();
  return (page) => {
    const before = done.get(page);
    if (before) return before;
    const bytes = encoder.encode(page.entries.map((entry) => render(page.epoch, entry)).join(""));
    done.set(page, bytes);
    return bytes;
  };
}

function gapJson({ after, before, dropped, reason, from, to, why }: Extract<JournalEntry, { gap: unknown }>["gap"]) {
  return JSON.stringify({ after, before, dropped, reason, from: time(from), to: time(to), why });
}

function time(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}

/** Outside its strings JSON may be broken into lines anywhere, and inside them nowhere: each break is white space. */
export function oneLine(json: string): string {
  return /[\r\n]/.test(json) ? json.replaceAll(/[\r\n]+/g, " ") : json;
}

export function base64({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("base64");
}
