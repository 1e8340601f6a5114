import type { ReadableStreamDefaultController } from "node:stream/web";
import { type Cursor, cursorText, type Page, type Start } from "../core/journal.ts";
import type { End, Feed, Feeds } from "../sidecar/feeds.ts";
import { Follower, type Sink } from "../sidecar/follower.ts";
import { event, eventOf, jsonOf, rendered } from "./render.ts";

/** A journal as an endless answer: a reader pulls, and one that does not read is given nothing and at last cut. */

/** What has been made for a reader and not yet been taken: from here on it gets no more, in bytes. */
export const AHEAD_BYTES = 64 * 1024;
/** Proxies give up on a stream that is silent for 60 s. */
export const HEARTBEAT_MS = 15_000;
/** A reader that takes nothing for so long, while there is something for it, is cut. */
export const STALLED_MS = 60_000;
/** How long an EventSource waits before it comes again, in milliseconds. */
const RETRY_MS = 2_000;

interface Form {
  readonly mediaType: string;
  page(page: Page): Uint8Array;
  /** What stands before everything else; there is always something, so that the answer begins at once. */
  begin(cursor: Cursor): string;
  /** Says that nothing is wrong, in a time without messages; undefined where the form has no words for it. */
  beat?(cursor: Cursor): string;
  end(next: Start, end: End | "read"): string;
}

const encoder = new TextEncoder();

export const sse: Form = {
  mediaType: "text/event-stream; charset=utf-8",
  page: rendered(eventOf),
  // An event without data is not told, but its id is where the next connection goes on, even before the first message.
  begin: (cursor) => `retry: ${RETRY_MS}\nid: ${cursorText(cursor)}\n\n`,
  beat: (cursor) => `: nothing new\nid: ${cursorText(cursor)}\n\n`,
  end: (next, end) => event("end", undefined, JSON.stringify({ next: nextText(next), ...reason(end) })),
};

export const ndjson: Form = {
  mediaType: "application/x-ndjson; charset=utf-8",
  page: rendered((epoch, entry) => `${jsonOf(epoch, entry)}\n`),
  begin: () => "",
  end: (next, end) => (end === "read" ? "" : `${JSON.stringify({ end: { next: nextText(next), ...reason(end) } })}\n`),
};

function nextText(next: Start): string {
  return typeof next === "string" ? next : cursorText(next);
}

function reason(end: End | "read"): object {
  if (end === "read") return { reason: "read" };
  if (end === "stopping") return { reason: "shutting_down" };
  if (typeof end === "string") return { reason: "gone" };
  return { reason: end.code, detail: end.detail };
}

export interface StreamOptions {
  readonly feeds: Feeds;
  readonly feed: Feed;
  readonly after: Start;
  /** Give what is there, and end. */
  readonly once: boolean;
  readonly form: Form;
}

export function stream({ feeds, feed, after, once, form }: StreamOptions): ReadableStream<Uint8Array> {
  let heartbeat: NodeJS.Timeout | undefined;
  let stalled: NodeJS.Timeout | undefined;
  let follower: Follower;
  const over = () => {
    clearInterval(heartbeat);
    clearTimeout(stalled);
    follower.close();
  };
  const source = {
    start(controller: ReadableStreamDefaultController<Uint8Array>) {
      const wants = () => (controller.desiredSize ?? 0) > 0;
      const push = (bytes: Uint8Array) => {
        if (bytes.length > 0) controller.enqueue(bytes);
        clearTimeout(stalled);
        if (wants()) return;
        stalled = setTimeout(() => {
          over();
          controller.error(new Error("the reader does not read"));
        }, STALLED_MS).unref();
      };
      const finish = (end: End | "read") => {
        push(encoder.encode(form.end(follower.place, end)));
        over();
        controller.close();
      };
      let begun = false;
      const begin = (cursor: Cursor) => {
        if (begun) return;
        begun = true;
        push(encoder.encode(form.begin(cursor)));
      };
      const sink: Sink = {
        wants,
        page(page) {
          begin({ epoch: page.epoch, seq: (page.entries[0]?.seq ?? 1) - 1 });
          push(form.page(page));
        },
        caughtUp(cursor) {
          begin(cursor);
          if (once) finish("read");
        },
        end: finish,
      };
      follower = new Follower(feeds, feed, after, sink);
      const { beat } = form;
      if (!beat || once) return;
      heartbeat = setInterval(() => {
        const { place } = follower;
        if (wants() && typeof place !== "string") push(encoder.encode(beat(place)));
      }, HEARTBEAT_MS).unref();
    },
    pull() {
      clearTimeout(stalled);
      follower.resume();
    },
    cancel: over,
  };
  return new ReadableStream(source, new ByteLengthQueuingStrategy({ highWaterMark: AHEAD_BYTES }));
}
