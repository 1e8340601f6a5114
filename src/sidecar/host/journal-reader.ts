/** A reader of a journal, which pulls pages on behalf of a consumer. */

import type { Cursor, JournalEntry, Page, Start } from "../../core/messages/journal.ts";
import {
  type JournalPulls,
  type JournalSelection,
  PAGE_LIMIT,
  type PageListener,
  type ReadEnd,
} from "./journal-pulls.ts";

/** Consumes pages, only while it wants some: a consumer that does not read costs nothing but its place. */
export interface PageConsumer {
  /** True if it can take more now. Once it can again, it must call `resume`. */
  wants(): boolean;
  /** `entries` is never empty. */
  page(page: Page): void;
  /** Everything has been read for now. Called once, before the first wait. */
  caughtUp?(cursor: Cursor): void;
  /** Nothing more comes. */
  end(end: ReadEnd): void;
}

/**
 * Reads page after page by pulls of its own until it has caught up, then together with all other readers at the end of
 * the journal, and by itself again if it could not keep up.
 */
export class JournalReader {
  readonly #journals: JournalPulls;
  readonly #selection: JournalSelection;
  readonly #consumer: PageConsumer;
  readonly #removeReader: () => void;
  readonly #limit: number;
  #after: Start;
  /** Cancels the pull, or leaves the shared one. */
  #leave: (() => void) | undefined;
  #state: "resting" | "reading" | "following" | "over" = "resting";
  #caughtUp = false;

  /** @param limit the most entries in a page for the consumer */
  constructor(
    journals: JournalPulls,
    selection: JournalSelection,
    after: Start,
    consumer: PageConsumer,
    limit = PAGE_LIMIT,
  ) {
    this.#removeReader = journals.addReader((end) => this.#end(end));
    this.#limit = limit;
    this.#journals = journals;
    this.#selection = selection;
    this.#consumer = consumer;
    this.#after = after;
  }

  /** The place up to which it has read; the start that it was given, until the first page. */
  get place(): Start {
    return this.#after;
  }

  /** Reads on if it rests. */
  resume(): void {
    if (this.#state === "resting" && this.#consumer.wants()) this.#read();
  }

  /** Stops reading; the consumer is not called any more. */
  close(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#removeReader();
    this.#leave?.();
  }

  #read(): void {
    this.#state = "reading";
    this.#keep(
      this.#journals.read(this.#selection, this.#after, this.#limit, {
        page: (page) => {
          if (this.#state !== "reading") return;
          this.#after = { epoch: page.epoch, seq: page.next };
          this.#state = "resting";
          if (page.entries.length > 0) this.#consumer.page(page);
          if (page.end) this.#reportCaughtUp(this.#after);
          this.#readOn(page.end ? this.#after : undefined);
        },
        end: (end) => this.#end(end),
      }),
    );
  }

  /** The consumer may have closed the reader on receiving the page. */
  #reportCaughtUp(cursor: Cursor): void {
    if (this.#caughtUp || this.#state === "over") return;
    this.#caughtUp = true;
    this.#consumer.caughtUp?.(cursor);
  }

  /** @param end the end of the journal, if it was reached */
  #readOn(end: Cursor | undefined): void {
    if (this.#state !== "resting" || !this.#consumer.wants()) return;
    if (end === undefined) {
      this.#read();
      return;
    }
    this.#state = "following";
    const leave = this.#journals.follow(this.#selection, end, this.#sharedListener);
    if (leave) this.#keep(leave);
    else this.#read();
  }

  /** The pull may have ended the reader before it returned. */
  #keep(leave: () => void): void {
    if (this.#state === "over") leave();
    else this.#leave = leave;
  }

  readonly #sharedListener: PageListener = {
    page: (page) => {
      if (this.#state !== "following") return;
      const fresh = freshIn(page, this.#after);
      if (fresh === "elsewhere") {
        this.#leave?.();
        this.#read();
        return;
      }
      const cut = fresh.entries.length > this.#limit;
      const mine = cut ? firstOf(fresh, this.#limit) : fresh;
      this.#after = { epoch: mine.epoch, seq: mine.next };
      if (mine.entries.length > 0) this.#consumer.page(mine);
      if (this.#state !== "following" || (!cut && this.#consumer.wants())) return;
      this.#state = "resting";
      this.#leave?.();
      this.#readOn(undefined);
    },
    end: (end) => this.#end(end),
  };

  #end(end: ReadEnd): void {
    if (this.#state === "over") return;
    this.close();
    this.#consumer.end(end);
  }
}

/** @returns the part of a shared page after `after`; `elsewhere` if its gap counts from another reader's place */
function freshIn(page: Page, after: Start): Page | "elsewhere" {
  const [first] = page.entries;
  if (typeof after === "string" || after.epoch !== page.epoch || first === undefined) return page;
  const isNew = ({ seq }: JournalEntry) => seq > after.seq;
  // The gap lies before this reader's place: nothing is gone for it.
  if (!isNew(first)) return { ...page, entries: page.entries.filter(isNew), gone: false };
  const counts = "gap" in first && first.gap.reason === "overflow";
  return counts && first.gap.after !== `${after.epoch}-${after.seq}` ? "elsewhere" : page;
}

/** The beginning of a shared page that is longer than this reader takes at a time. */
function firstOf(page: Page, limit: number): Page {
  const entries = page.entries.slice(0, limit);
  return { ...page, entries, next: entries.at(-1)?.seq ?? page.next, end: false };
}
