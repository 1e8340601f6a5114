import type { Cursor, JournalEntry, Page, Start } from "../../core/messages/journal.ts";
import {
  type JournalPulls,
  type JournalSelection,
  PAGE_LIMIT,
  type PageListener,
  type ReadEnd,
} from "./journal-pulls.ts";

/** Who reads: it is given pages only while it wants some, so that one that does not read costs nothing but its place. */
export interface PageConsumer {
  /** Whether more can be taken now. When it can again, `resume` must be called. */
  wants(): boolean;
  /** `entries` are never none. */
  page(page: Page): void;
  /** Everything has been read for now; told once, before the first waiting. */
  caughtUp?(cursor: Cursor): void;
  /** Nothing comes any more. */
  end(end: ReadEnd): void;
}

/**
 * One reader's way through a journal: page after page by pulls of its own until it has caught up, then with all the
 * others at the end of it; and by itself again when it could not keep up.
 */
export class JournalReader {
  readonly #journals: JournalPulls;
  readonly #selection: JournalSelection;
  readonly #sink: PageConsumer;
  readonly #exit: () => void;
  readonly #limit: number;
  #after: Start;
  #leave: (() => void) | undefined;
  #state: "resting" | "reading" | "following" | "over" = "resting";
  #caughtUp = false;

  /** `limit`: the most entries in a page that the sink is given. */
  constructor(
    journals: JournalPulls,
    selection: JournalSelection,
    after: Start,
    sink: PageConsumer,
    limit = PAGE_LIMIT,
  ) {
    this.#exit = journals.enter((end) => this.#end(end));
    this.#limit = limit;
    this.#journals = journals;
    this.#selection = selection;
    this.#sink = sink;
    this.#after = after;
  }

  /** Where it has got to; as given at first, until a page has come. */
  get place(): Start {
    return this.#after;
  }

  /** Goes on, when it rests. */
  resume(): void {
    if (this.#state === "resting" && this.#sink.wants()) this.#read();
  }

  /** Reads no more, and is told nothing more. */
  close(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#exit();
    this.#leave?.();
  }

  #read(): void {
    this.#state = "reading";
    this.#enter(
      this.#journals.read(this.#selection, this.#after, this.#limit, {
        page: (page) => {
          if (this.#state !== "reading") return;
          this.#after = { epoch: page.epoch, seq: page.next };
          this.#state = "resting";
          if (page.entries.length > 0) this.#sink.page(page);
          if (page.end) this.#tellCaughtUp(this.#after);
          this.#goOn(page.end ? this.#after : undefined);
        },
        end: (end) => this.#end(end),
      }),
    );
  }

  /** Whom the page was enough for may have left with it. */
  #tellCaughtUp(cursor: Cursor): void {
    if (this.#caughtUp || this.#state === "over") return;
    this.#caughtUp = true;
    this.#sink.caughtUp?.(cursor);
  }

  /** `end`: the place where there was nothing more. */
  #goOn(end: Cursor | undefined): void {
    if (this.#state !== "resting" || !this.#sink.wants()) return;
    if (end === undefined) {
      this.#read();
      return;
    }
    this.#state = "following";
    const leave = this.#journals.follow(this.#selection, end, this.#told);
    if (leave) this.#enter(leave);
    else this.#read();
  }

  /** What was entered may have ended at once. */
  #enter(leave: () => void): void {
    if (this.#state === "over") leave();
    else this.#leave = leave;
  }

  readonly #told: PageListener = {
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
      if (mine.entries.length > 0) this.#sink.page(mine);
      if (this.#state !== "following" || (!cut && this.#sink.wants())) return;
      this.#state = "resting";
      this.#leave?.();
      this.#goOn(undefined);
    },
    end: (end) => this.#end(end),
  };

  #end(end: ReadEnd): void {
    if (this.#state === "over") return;
    this.close();
    this.#sink.end(end);
  }
}

/** What of a shared page is new after `after`. `elsewhere`: its gap counts from another reader's place, not from this. */
function freshIn(page: Page, after: Start): Page | "elsewhere" {
  const [first] = page.entries;
  if (typeof after === "string" || after.epoch !== page.epoch || first === undefined) return page;
  const isNew = ({ seq }: JournalEntry) => seq > after.seq;
  // What the others missed was before this reader's time: nothing is gone for it.
  if (!isNew(first)) return { ...page, entries: page.entries.filter(isNew), gone: false };
  const counts = "gap" in first && first.gap.reason === "overflow";
  return counts && first.gap.after !== `${after.epoch}-${after.seq}` ? "elsewhere" : page;
}

/** A shared page may be longer than this reader takes at a time. */
function firstOf(page: Page, limit: number): Page {
  const entries = page.entries.slice(0, limit);
  return { ...page, entries, next: entries.at(-1)?.seq ?? page.next, end: false };
}
