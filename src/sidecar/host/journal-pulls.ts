import type { Cursor, Page, Start } from "../../core/messages/journal.ts";
import type { Failure } from "../../errors.ts";
import type { Rule } from "../../protocols/condition.ts";
import type { NoPage, ReadCommand, ToThread } from "../contract.ts";

/**
 * The host side of the journals: pages are pulled, never pushed, so that a flood costs this side nothing while nobody
 * reads. Readers at the end of a journal share one pull: one page crosses, and is told to all of them.
 */

/** A journal, and which of its messages are wanted. */
export interface JournalSelection {
  /** `""`: what no standing subscription claims. Else a subscription's name. */
  readonly journal: string;
  /** All must hold; empty for every message. */
  readonly where: readonly Rule[];
}

/** Who is told what a pull brought. Called in the turn in which it came, so that no news can slip between. */
export interface PageListener {
  page(page: Page): void;
  /** There is nothing (any more) to be read here. */
  end(end: ReadEnd): void;
}

/** `stopping`: the exit has begun. */
export type ReadEnd = "stopping" | NoPage | Failure;

/** How many entries cross at a time. */
export const PAGE_LIMIT = 1_000;

interface Tail {
  readonly selection: JournalSelection;
  /** Where the pull on its way begins, and its number. */
  from: Cursor;
  seq: number;
  readonly readers: Set<PageListener>;
}

export class JournalPulls {
  readonly #upstream: string;
  readonly #post: (message: ToThread) => void;
  readonly #pulls = new Map<number, { readonly command: ReadCommand; readonly told: PageListener }>();
  readonly #tails = new Map<string, Tail>();
  readonly #readers = new Set<(end: ReadEnd) => void>();
  #lastSeq = 0;
  #end: ReadEnd | undefined;

  constructor(upstream: string, post: (message: ToThread) => void) {
    this.#upstream = upstream;
    this.#post = post;
  }

  /** How many are reading now. */
  get readers(): number {
    return this.#readers.size;
  }

  /** One more reader, which is told of the end even while it asks for nothing. @returns how to leave */
  enter(onEnd: (end: ReadEnd) => void): () => void {
    this.#readers.add(onEnd);
    return () => this.#readers.delete(onEnd);
  }

  /** Asks for what is there, at once. @returns how to take it back */
  read(selection: JournalSelection, after: Start, limit: number, told: PageListener): () => void {
    if (this.#end) {
      told.end(this.#end);
      return () => {};
    }
    const seq = this.#pull({ selection, after, limit, wait: false }, told);
    return () => this.#takeBack(seq);
  }

  /**
   * Tells every page from `from` on, where a page has just ended that was the newest; others may have come a little
   * less far, so a page may begin before it. @returns how to leave; undefined when the others are ahead: read on first.
   */
  follow(selection: JournalSelection, from: Cursor, told: PageListener): (() => void) | undefined {
    if (this.#end) {
      told.end(this.#end);
      return () => {};
    }
    const key = JSON.stringify([selection.journal, selection.where]);
    let tail = this.#tails.get(key);
    if (tail && (tail.from.epoch !== from.epoch || tail.from.seq > from.seq)) return undefined;
    if (!tail) {
      tail = { selection, from, seq: 0, readers: new Set() };
      this.#tails.set(key, tail);
      this.#pullTail(key, tail);
    }
    const { readers } = tail;
    const joined = tail;
    readers.add(told);
    return () => {
      if (!readers.delete(told) || readers.size > 0 || this.#tails.get(key) !== joined) return;
      this.#tails.delete(key);
      this.#takeBack(joined.seq);
    };
  }

  receive(seq: number, page: Page | NoPage): void {
    const pull = this.#pulls.get(seq);
    this.#pulls.delete(seq);
    if (typeof page === "string") pull?.told.end(page);
    else pull?.told.page(page);
  }

  /** A new thread knows of no pull: each is asked for again, and its answer begins with what was lost. */
  renew(): void {
    for (const { command } of this.#pulls.values()) this.#post(command);
  }

  /** Every reader is told, now or when it comes. @returns how many were reading */
  end(end: ReadEnd): number {
    if (this.#end) return 0;
    this.#end = end;
    this.#pulls.clear();
    this.#tails.clear();
    const readers = [...this.#readers];
    for (const onEnd of readers) onEnd(end);
    return readers.length;
  }

  #pull(
    { selection, after, limit, wait }: { selection: JournalSelection; after: Start; limit: number; wait: boolean },
    told: PageListener,
  ): number {
    const seq = ++this.#lastSeq;
    const { journal, where } = selection;
    const command = { type: "read", upstream: this.#upstream, seq, journal, after, limit, where, wait } as const;
    this.#pulls.set(seq, { command, told });
    this.#post(command);
    return seq;
  }

  #takeBack(seq: number): void {
    if (this.#pulls.delete(seq)) this.#post({ type: "unread", upstream: this.#upstream, seq });
  }

  #pullTail(key: string, tail: Tail): void {
    const { selection, from, readers } = tail;
    tail.seq = this.#pull(
      { selection, after: from, limit: PAGE_LIMIT, wait: true },
      {
        page: (page) => {
          tail.from = { epoch: page.epoch, seq: page.next };
          for (const reader of [...readers]) reader.page(page);
          if (readers.size > 0) this.#pullTail(key, tail);
        },
        end: (end) => {
          this.#tails.delete(key);
          for (const reader of [...readers]) reader.end(end);
        },
      },
    );
  }
}
