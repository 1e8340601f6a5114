/** The fold of an upstream's log: the same entries of its journals on every replica, with the same numbers. */
import type { Body } from "../../protocols/protocol.ts";
import { type GapDetails, MAIN_JOURNAL, type MessageKind } from "../messages/journal.ts";
import type { JournalPlace, LogBatch, LogItem, LogLife } from "./log-batch.ts";

export type FoldEffect =
  /** The log has begun anew: older cursors are expired. */
  | { readonly type: "restart"; readonly epoch: string }
  /** A journal whose next entry has this number; it has none before, or they were evicted. */
  | { readonly type: "open"; readonly place: JournalPlace }
  | { readonly type: "close"; readonly journal: string }
  | {
      readonly type: "message";
      readonly journal: string;
      readonly number: number;
      readonly at: number;
      readonly kind: MessageKind;
      readonly data: Body;
      readonly tag?: number;
    }
  | {
      readonly type: "gap";
      readonly journal: string;
      /** May be greater than the next: entries before it are missing, or the numbers were skipped. */
      readonly number: number;
      readonly isBehindSkipped?: true;
      readonly at: number;
      readonly gap: GapDetails;
    }
  /** A term has begun; if it is ours, its items can be written. */
  | { readonly type: "life"; readonly term: number; readonly epoch: string };

/** The most entries for which one log is read again. */
const MISSED_MAX = 64;

/** The most epochs of lost logs that are remembered. */
const LOST_MAX = 64;

/** Behind this number a term begins another epoch: those of a log are bounded. */
export const LAST_NUMBER = 2 ** 47;

const HOLE = "entries of the cluster's log are missing";

export class LogFold {
  #position = 0;
  #life: string | undefined;
  #term = 0;
  /** Entries for which the log was read again: a second time would not find more. */
  readonly #missed = new Set<number>();
  #epoch: string | undefined;
  /** The epochs of logs that were cut off, the oldest first: cursors of them stand for other entries, or none. */
  readonly #lost = new Set<string>();
  readonly #places = new Map<string, JournalPlace>();
  /** The time of the newest item. */
  #at = 0;
  #ignored = 0;
  #holes = 0;

  /** Read the log behind this entry. */
  get position(): number {
    return this.#position;
  }

  /** The epoch for a new term to go on with; undefined if it must begin another. */
  get epoch(): string | undefined {
    const epoch = this.#epoch;
    const next = this.#places.get(MAIN_JOURNAL)?.next ?? Number.POSITIVE_INFINITY;
    return epoch === undefined || this.#lost.has(epoch) || next > LAST_NUMBER ? undefined : epoch;
  }

  get places(): readonly JournalPlace[] {
    return [...this.#places.values()];
  }

  /** Batches of members that did not know yet that they had been replaced, and holes, of which there should be none. */
  get counts(): { readonly ignored: number; readonly holes: number } {
    return { ignored: this.#ignored, holes: this.#holes };
  }

  /**
   * Compares the log as the server has it, to be asked for at the start and at each new contact.
   * @returns true if it is another log, or less of this one: read it from its beginning
   */
  found(life: string, last: number): boolean {
    const isSame = (this.#life === undefined || this.#life === life) && last >= this.#position;
    this.#life = life;
    if (isSame) return false;
    this.#forget();
    this.#missed.clear();
    return true;
  }

  /** The log is the one that was read, though it has another life. */
  adopt(life: string): void {
    this.#life = life;
  }

  /** The life of the log that is read; undefined before it was found. */
  get life(): string | undefined {
    return this.#life;
  }

  take(seq: number, batch: LogBatch): readonly FoldEffect[] {
    if (seq <= this.#position) return [];
    const isNext = seq === this.#position + 1;
    this.#position = seq;
    if (batch.term < this.#term) {
      this.#ignored++;
      return [];
    }
    const effects: FoldEffect[] = [];
    const isNew = batch.epoch !== this.#epoch;
    // Appended twice.
    if (!isNew && batch.life && batch.term === this.#term) return [];
    // Appended to the lost log, and again to the one that was begun instead.
    if (isNew && isNext && this.#epoch !== undefined && !batch.life && batch.term === this.#term) {
      this.#ignored++;
      return [];
    }
    if (isNew && !this.#begin(seq, batch, effects)) return [];
    this.#term = batch.term;
    if (batch.life) this.#onLife(batch, batch.life, isNew, effects);
    for (const place of batch.journals) this.#align(place, batch.items, effects);
    this.#fold(batch, effects);
    for (const journal of batch.closed) if (this.#places.delete(journal)) effects.push({ type: "close", journal });
    return effects;
  }

  #forget(): void {
    // It may be forgotten again before its first entry is read.
    if (this.#epoch !== undefined) this.#lost.add(this.#epoch);
    const [oldest] = this.#lost;
    if (this.#lost.size > LOST_MAX && oldest !== undefined) this.#lost.delete(oldest);
    this.#position = 0;
    this.#term = 0;
    this.#epoch = undefined;
    this.#places.clear();
  }

  /** @returns false if the beginning of the epoch was missed, so that the log must be read again; once is enough */
  #begin(seq: number, { epoch, life, journals }: LogBatch, effects: FoldEffect[]): boolean {
    const isBeginning = this.#epoch === undefined || (life && journals.length > 0);
    if (!isBeginning && !this.#missed.has(seq) && this.#missed.size < MISSED_MAX) {
      this.#forget();
      this.#missed.add(seq);
      return false;
    }
    this.#places.clear();
    this.#epoch = epoch;
    effects.push({ type: "restart", epoch });
    return true;
  }

  /** Every journal has a gap where a term begins, but the one that begins with it. */
  #onLife({ term, epoch }: LogBatch, life: LogLife, isNew: boolean, effects: FoldEffect[]): void {
    const { from, at, why, first } = life;
    const gap: GapDetails = { dropped: null, reason: "away", from, to: at, why };
    for (const { name, next } of isNew ? [] : this.places) {
      const isBehindSkipped = first > next && ({ isBehindSkipped: true } as const);
      effects.push({ type: "gap", ...this.#number(name, first), at, gap, ...isBehindSkipped });
    }
    this.#at = at;
    effects.push({ type: "life", term, epoch });
  }

  #align(place: JournalPlace, items: readonly LogItem[], effects: FoldEffect[]): void {
    const known = this.#places.get(place.name);
    if (known?.epoch !== place.epoch) {
      if (known) effects.push({ type: "close", journal: place.name });
      this.#open(place, effects);
    } else if (place.next > known.next) {
      this.#holes++;
      const at = items.find(({ journal }) => journal === place.name)?.at ?? this.#at;
      const gap: GapDetails = { dropped: null, reason: "overflow", why: HOLE };
      effects.push({ type: "gap", journal: place.name, number: place.next - 1, at, gap });
      this.#places.set(place.name, place);
    }
  }

  /** Entries with numbers that are here already were appended twice. */
  #fold({ journals, items }: LogBatch, effects: FoldEffect[]): void {
    const next = new Map(journals.map((place) => [place.name, place.next]));
    for (const item of items) {
      const number = next.get(item.journal);
      if (number === undefined) continue;
      next.set(item.journal, number + 1);
      if (number !== this.#places.get(item.journal)?.next) continue;
      this.#number(item.journal);
      this.#at = item.at;
      effects.push("gap" in item ? { type: "gap", number, ...item } : { type: "message", number, ...item });
    }
  }

  #open(place: JournalPlace, effects: FoldEffect[]): void {
    this.#places.set(place.name, place);
    effects.push({ type: "open", place });
  }

  /** Takes the journal's next number, but none that is less than the first. */
  #number(journal: string, first = 1): { readonly journal: string; readonly number: number } {
    const place = this.#places.get(journal);
    const number = Math.max(place?.next ?? 1, first);
    if (place) this.#places.set(journal, { ...place, next: number + 1 });
    return { journal, number };
  }
}
