/** Stream of a journal: an endless response that reads the next page when its reader has room. */

import type { Context } from "hono";
import { type Cursor, cursorText, type Page, type Start } from "../../core/messages/journal.ts";
import type { Failure } from "../../errors.ts";
import type { JournalPulls, JournalSelection, ReadEnd } from "../../sidecar/host/journal-pulls.ts";
import { JournalReader } from "../../sidecar/host/journal-reader.ts";
import type { Env } from "../env.ts";
import type { ResponseHeaders } from "../problem.ts";
import { LINE_BEAT, PacedResponse } from "./paced-response.ts";
import { event, eventOf, jsonOf, jsonText, rendered } from "./render.ts";

/** Milliseconds that an EventSource waits before it reconnects. */
const RETRY_MS = 2_000;

interface JournalStreamFormat {
  readonly mediaType: string;
  page(page: Page): Uint8Array;
  /** The first text of the stream. */
  begin(cursor: Cursor): string;
  /** The heartbeat for times without messages. */
  beat(cursor: Cursor): string;
  end(next: Start, end: ReadEnd | "read"): string;
}

export const sse: JournalStreamFormat = {
  mediaType: "text/event-stream; charset=utf-8",
  page: rendered(eventOf),
  // An event without data is not dispatched, but its id is the cursor at which the client resumes.
  begin: (cursor) => `retry: ${RETRY_MS}\nid: ${cursorText(cursor)}\n\n`,
  beat: (cursor) => `: nothing new\nid: ${cursorText(cursor)}\n\n`,
  end: (next, end) => event("end", undefined, jsonText({ next: nextText(next), ...reason(end) })),
};

export const ndjson: JournalStreamFormat = {
  mediaType: "application/x-ndjson; charset=utf-8",
  page: rendered((epoch, entry) => `${jsonOf(epoch, entry)}\n`),
  begin: () => "",
  beat: () => LINE_BEAT,
  end: (next, end) => (end === "read" ? "" : `${jsonText({ end: { next: nextText(next), ...reason(end) } })}\n`),
};

/**
 * A stream that ends at once because no reader is taken now. An EventSource comes again after it, and would give up for
 * good on any status but 200.
 */
export function refusedEvents(after: Start, failure: Failure): string {
  return `retry: ${Math.max(RETRY_MS, failure.retryAfterMs ?? 0)}\n\n${sse.end(after, failure)}`;
}

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
  /** True to send what is kept and end. */
  readonly once: boolean;
  readonly format: JournalStreamFormat;
  /** Called when the stream has ended. */
  readonly onEnd?: (() => void) | undefined;
}

export function streamJournal(
  c: Context<Env>,
  { journals, selection, after, once, format, onEnd }: StreamOptions,
  headers: ResponseHeaders,
): Response {
  const paced: PacedResponse = new PacedResponse(
    {
      resume: () => reader.resume(),
      left: () => reader.close(),
      beat: () => (typeof reader.place === "string" ? undefined : format.beat(reader.place)),
    },
    c.get("record").budget,
    onEnd,
  );
  const finish = (end: ReadEnd | "read") => {
    paced.end(format.end(reader.place, end));
    reader.close();
  };
  let begun = false;
  const begin = (cursor: Cursor) => {
    if (begun) return;
    begun = true;
    paced.write(format.begin(cursor));
  };
  const reader: JournalReader = new JournalReader(journals, selection, after, {
    wants: () => paced.room > 0,
    page(page) {
      // Before a gap, too: a client that is cut here and reconnects must see the whole gap.
      begin(typeof after === "string" ? { epoch: page.epoch, seq: 0 } : after);
      paced.write(format.page(page));
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
