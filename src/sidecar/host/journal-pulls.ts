/** The host side of an upstream's journals, which pulls pages from the thread. */

import { type Cursor, countedBytesOf, type Page, type Start } from "../../core/messages/journal.ts";
import { TransientMap } from "../../core/util/transient.ts";
import type { Failure } from "../../errors.ts";
import type { Condition, Rule } from "../../protocols/condition.ts";
import type { Answered, NoPage, ReadCommand, ToThread } from "../contract.ts";
import { Questions } from "./questions.ts";

/** A journal, and a filter of its messages. */
export interface JournalSelection {
  /** The name of a subscription; `""` for the main journal, with the messages that no subscription claims. */
  readonly journal: string;
  /** Rules that all hold for the wanted messages; empty for every message. */
  readonly where: readonly Rule[];
  /** A condition that holds for them, too. */
  readonly when?: Condition | undefined;
}

/** Receives the outcome of a pull, in the turn in which it arrived, so that no message can slip between two pulls. */
export interface PageListener {
  page(page: Page): void;
  /** There is nothing to read, or no longer. */
  end(end: ReadEnd): void;
}

/** The reason why reading ends. `stopping`: the exit has begun. */
export type ReadEnd = "stopping" | NoPage | Failure;

/** The most entries that cross at a time. */
export const PAGE_LIMIT = 1_000;

interface Wanted {
  readonly selection: JournalSelection;
  readonly after: Start;
  readonly limit: number;
  readonly wait: boolean;
}

/** A pull whose page has not come yet, with all who asked for it meanwhile. */
interface PendingRead {
  readonly seq: number;
  readonly readers: Set<PageListener>;
}

/** A pull that waits at the end of a journal, for all its readers. */
interface SharedPull {
  readonly selection: JournalSelection;
  /** The place after which the current pull reads. */
  from: Cursor;
  /** The number of the current pull. */
  seq: number;
  readonly readers: Set<PageListener>;
}

/**
 * Pulls pages for readers. Nothing is pushed, so a flood costs the host nothing while nobody reads. Readers at the end
 * of a journal share one pull: a single page crosses, and each of them receives it.
 */
export class JournalPulls {
  readonly #upstream: string;
  readonly #post: (message: ToThread) => void;
  readonly #pulls = new TransientMap<number, { readonly command: ReadCommand; readonly listener: PageListener }>();
  readonly #sharedPulls = new TransientMap<string, SharedPull>();
  readonly #readers = new Set<(end: ReadEnd) => void>();
  readonly #reads = new TransientMap<string, PendingRead>();
  readonly #acknowledgements = new Questions<Answered>();
  readonly #arrived: (bytes: number) => void;
  #lastSeq = 0;
  #end: ReadEnd | undefined;

  /** @param arrived called with the bytes of each large page, which the thread has counted until then */
  constructor(upstream: string, post: (message: ToThread) => void, arrived: (bytes: number) => void = () => {}) {
    this.#arrived = arrived;
    this.#upstream = upstream;
    this.#post = post;
  }

  /** The current number of readers. */
  get readers(): number {
    return this.#readers.size;
  }

  /** Adds a reader. `onEnd` is called even while the reader has no pull. @returns a function that removes the reader */
  addReader(onEnd: (end: ReadEnd) => void): () => void {
    this.#readers.add(onEnd);
    return () => this.#readers.delete(onEnd);
  }

  /** Pulls what is there, without waiting for more. @returns a function that cancels the pull */
  read(selection: JournalSelection, after: Start, limit: number, listener: PageListener): () => void {
    if (this.#end) {
      listener.end(this.#end);
      return () => {};
    }
    // Readers that ask for the same before it has come share it: nobody has seen anything newer yet.
    const key = JSON.stringify([selection.journal, selection.where, selection.when, after, limit]);
    const pending = this.#reads.get(key) ?? this.#beginRead(key, { selection, after, limit, wait: false });
    pending.readers.add(listener);
    return () => {
      if (!pending.readers.delete(listener) || pending.readers.size > 0 || this.#reads.get(key) !== pending) return;
      this.#reads.delete(key);
      this.#cancel(pending.seq);
    };
  }

  #beginRead(key: string, wanted: Wanted): PendingRead {
    const readers = new Set<PageListener>();
    const over = () => {
      if (this.#reads.get(key)?.readers === readers) this.#reads.delete(key);
      return [...readers].filter((reader) => readers.delete(reader));
    };
    const pending = {
      readers,
      seq: this.#pull(wanted, {
        page: (page) => {
          for (const reader of over()) reader.page(page);
        },
        end: (end) => {
          for (const reader of over()) reader.end(end);
        },
      }),
    };
    this.#reads.set(key, pending);
    return pending;
  }

  /**
   * Joins the shared pull at the end of the journal, and receives every page from `from` on, where a page has just
   * ended that was the newest. Other readers may have come a little less far, so a page may begin before `from`.
   * @returns a function that leaves the shared pull; undefined if it is already further on: then read the rest first
   */
  follow(selection: JournalSelection, from: Cursor, listener: PageListener): (() => void) | undefined {
    if (this.#end) {
      listener.end(this.#end);
      return () => {};
    }
    const key = JSON.stringify([selection.journal, selection.where, selection.when]);
    let shared = this.#sharedPulls.get(key);
    if (shared && (shared.from.epoch !== from.epoch || shared.from.seq > from.seq)) return undefined;
    if (!shared) {
      shared = { selection, from, seq: 0, readers: new Set() };
      this.#sharedPulls.set(key, shared);
      this.#pullShared(key, shared);
    }
    const { readers } = shared;
    const joined = shared;
    readers.add(listener);
    return () => {
      if (!readers.delete(listener) || readers.size > 0 || this.#sharedPulls.get(key) !== joined) return;
      this.#sharedPulls.delete(key);
      this.#cancel(joined.seq);
    };
  }

  receive(seq: number, page: Page | NoPage): void {
    if (typeof page !== "string") this.#arrived(countedBytesOf(page));
    const pull = this.#pulls.get(seq);
    this.#pulls.delete(seq);
    if (typeof page === "string") pull?.listener.end(page);
    else pull?.listener.page(page);
  }

  /** There is no page, and will be none. */
  unread(seq: number, failure: Failure): void {
    const pull = this.#pulls.get(seq);
    this.#pulls.delete(seq);
    pull?.listener.end(failure);
  }

  /** Reports messages of a journal that were delivered. */
  delivered(journal: string, epoch: string, seqs: readonly number[]): void {
    this.#post({ type: "delivered", upstream: this.#upstream, journal, epoch, seqs });
  }

  /**
   * Tells that a reader has the messages of a journal up to a place, so that the answers that wait for them are sent.
   * @returns their number, or why there is none; undefined if the thread does not tell within `withinMs`
   */
  acknowledge(journal: string, through: Cursor, withinMs: number): Promise<Answered | undefined> {
    const seq = ++this.#lastSeq;
    const answered = this.#acknowledgements.add(seq, withinMs);
    this.#post({ type: "acknowledge", upstream: this.#upstream, seq, journal, through });
    return answered;
  }

  acknowledged(seq: number, answered: Answered): void {
    this.#acknowledgements.receive(seq, answered);
  }

  /** Posts every pending pull to a new thread. Its page begins with the gap that the crash left. */
  repost(): void {
    for (const { command } of this.#pulls.values()) this.#post(command);
  }

  /** Ends every reader, and every later one as it comes. @returns the number of readers ended now */
  end(end: ReadEnd): number {
    if (this.#end) return 0;
    this.#end = end;
    this.#pulls.clear();
    this.#reads.clear();
    this.#sharedPulls.clear();
    const readers = [...this.#readers];
    for (const onEnd of readers) onEnd(end);
    return readers.length;
  }

  #pull({ selection, after, limit, wait }: Wanted, listener: PageListener): number {
    const seq = ++this.#lastSeq;
    const { journal, where, when } = selection;
    const command = { type: "read", upstream: this.#upstream, seq, journal, after, limit, where, when, wait } as const;
    this.#pulls.set(seq, { command, listener });
    this.#post(command);
    return seq;
  }

  #cancel(seq: number): void {
    if (this.#pulls.delete(seq)) this.#post({ type: "cancelRead", upstream: this.#upstream, seq });
  }

  #pullShared(key: string, shared: SharedPull): void {
    const { selection, from, readers } = shared;
    shared.seq = this.#pull(
      { selection, after: from, limit: PAGE_LIMIT, wait: true },
      {
        page: (page) => {
          shared.from = { epoch: page.epoch, seq: page.next };
          for (const reader of [...readers]) reader.page(page);
          if (readers.size > 0) this.#pullShared(key, shared);
        },
        end: (end) => {
          this.#sharedPulls.delete(key);
          for (const reader of [...readers]) reader.end(end);
        },
      },
    );
  }
}
