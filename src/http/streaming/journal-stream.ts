import type { Context } from "hono";
import { type Cursor, cursorText, type Page, type Start } from "../../core/messages/journal.ts";
import type { JournalPulls, JournalSelection, ReadEnd } from "../../sidecar/host/journal-pulls.ts";
import { JournalReader } from "../../sidecar/host/journal-reader.ts";
import type { Env } from "../ports.ts";
import type { ResponseHeaders } from "../problem.ts";
import { PacedResponse } from "./paced-response.ts";
import { event, eventOf, jsonOf, rendered } from "./render.ts";

/** A journal as an answer without an end: the reader's own pace decides when the next page is read. */

/** How long an EventSource waits before it comes again, in milliseconds. */
const RETRY_MS = 2_000;

interface JournalStreamFormat {
  readonly mediaType: string;
  page(page: Page): Uint8Array;
  /** What stands before everything else. */
  begin(cursor: Cursor): string;
  /** Says that nothing is wrong, in a time without messages; undefined where the form has no words for it. */
  beat?(cursor: Cursor): string;
  end(next: Start, end: ReadEnd | "read"): string;
}

export const sse: JournalStreamFormat = {
  mediaType: "text/event-stream; charset=utf-8",
  page: rendered(eventOf),
  // An event without data is not told, but its id is where the next connection goes on, even before the first message.
  begin: (cursor) => `retry: ${RETRY_MS}\nid: ${cursorText(cursor)}\n\n`,
  beat: (cursor) => `: nothing new\nid: ${cursorText(cursor)}\n\n`,
  end: (next, end) => event("end", undefined, JSON.stringify({ next: nextText(next), ...reason(end) })),
};

export const ndjson: JournalStreamFormat = {
  mediaType: "application/x-ndjson; charset=utf-8",
  page: rendered((epoch, entry) => `${jsonOf(epoch, entry)}\n`),
  begin: () => "",
  end: (next, end) => (end === "read" ? "" : `${JSON.stringify({ end: { next: nextText(next), ...reason(end) } })}\n`),
};

function nextText(next: Start): string {
  return typeof next === "string" ? next : cursorText(next);
}

function reason(end: ReadEnd | "read"): object {
  if (end === "read") return { reason: "read" };
  if (end === "stopping") return { reason: "shutting_down" };
  if (typeof end === "string") return { reason: "gone" };
  return { reason: end.code, detail: end.detail };
}

export interface StreamOptions {
  readonly journals: JournalPulls;
  readonly selection: JournalSelection;
  readonly after: Start;
  /** Give what is there, and end. */
  readonly once: boolean;
  readonly form: JournalStreamFormat;
}

export function stream(
  c: Context<Env>,
  { journals, selection, after, once, form }: StreamOptions,
  headers: ResponseHeaders,
): Response {
  const paced: PacedResponse = new PacedResponse({
    resume: () => reader.resume(),
    left: () => reader.close(),
    beat: () => (typeof reader.place === "string" ? undefined : form.beat?.(reader.place)),
  });
  const finish = (end: ReadEnd | "read") => {
    paced.end(form.end(reader.place, end));
    reader.close();
  };
  let begun = false;
  const begin = (cursor: Cursor) => {
    if (begun) return;
    begun = true;
    paced.write(form.begin(cursor));
  };
  const reader: JournalReader = new JournalReader(journals, selection, after, {
    wants: () => paced.room > 0,
    page(page) {
      // Before a gap, too: whoever is cut here and comes again must be told of all of it.
      begin(typeof after === "string" ? { epoch: page.epoch, seq: 0 } : after);
      paced.write(form.page(page));
    },
    caughtUp(cursor) {
      begin(cursor);
      if (once) finish("read");
    },
    end: finish,
  });
  const response = paced.respond(c, headers);
  reader.resume();
  return response;
}
