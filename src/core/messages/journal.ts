import type { Body } from "../../protocols/protocol.ts";
import { BodyStore, type StoredBody } from "./body-store.ts";

/**
 * What an upstream said unasked, in the order it came, bounded by count and bytes. Readers name a place in it by a
 * cursor, `<epoch>-<seq>`: the epoch names this journal's life, so that a cursor of another life is never mistaken for
 * one of this. What a reader missed is said by a gap, in its place in the order. Pure: times come as arguments.
 */

/** `json`: text that is one JSON value. */
export type MessageKind = "json" | "text" | "binary";

export interface Message {
  readonly seq: number;
  /** Milliseconds since 1970, by the wall clock. */
  readonly at: number;
  readonly kind: MessageKind;
  readonly data: Body;
}

/**
 * - `overflow`: it was here, and made way for newer ones.
 * - `away`: there was no connection, so nobody knows what the upstream would have said.
 * - `crashed`: the thread died, and what it kept died with it.
 * - `expired`: the cursor is of a life before this process.
 */
export type GapReason = "overflow" | "away" | "crashed" | "expired";

/** Something is missing after the cursor `after` and before the cursor `before`. */
export interface Gap {
  readonly seq: number;
  readonly at: number;
  readonly gap: {
    readonly after: string | null;
    readonly before: string;
    /** How many messages; null when nobody can know. */
    readonly dropped: number | null;
    readonly reason: GapReason;
    /** Of `away`: since when, until when, by the wall clock in milliseconds, and why. */
    readonly from?: number | undefined;
    readonly to?: number | undefined;
    readonly why?: string | undefined;
  };
}

export type JournalEntry = Message | Gap;

/** A message as it lies here. */
type StoredMessage = Omit<Message, "data"> & { readonly place: StoredBody };

/** Where reading begins: after a cursor, or at an end of what is kept. */
export type Start = "earliest" | "latest" | Cursor;

export interface Cursor {
  readonly epoch: string;
  readonly seq: number;
}

export interface ReadOptions {
  readonly after: Start;
  /** The most entries in the page. */
  readonly limit: number;
  /** Which messages are wanted; gaps always are. Undefined for all. */
  readonly where?: ((message: Message) => boolean) | undefined;
}

export interface Page {
  readonly epoch: string;
  readonly entries: readonly JournalEntry[];
  /** Where the next page begins: after this one. */
  readonly next: number;
  /** There was nothing more, when it was read. */
  readonly end: boolean;
  /** The cursor is not kept any more: the first entry is the gap that says so. */
  readonly gone: boolean;
}

export interface JournalBounds {
  /** Messages and gaps together. */
  readonly count: number;
  readonly bytes: number;
}

/**
 * A page is full from this many bytes on; a single message may be larger. A reader of a stream is seen to read by the
 * page, and cut when it takes less than one in a minute: the smaller it is, the slower a reader may be.
 */
const PAGE_BYTES = 64 * 1024;
/** A filter looks at so many messages for one page, so that a rare match never holds the thread up. */
const PAGE_SCAN = 2_000;
/** What an entry costs besides its data, in bytes: about. */
const ENTRY_BYTES = 128;

export class Journal {
  readonly epoch: string;
  readonly #bounds: JournalBounds;
  readonly #former: readonly string[];
  readonly #began: number;
  /** By `seq % count`. */
  readonly #ring: (StoredMessage | Gap | undefined)[] = [];
  readonly #shelf = new BodyStore();
  #oldest = 1;
  #newest = 0;
  #bytes = 0;
  /** The newest gap that made way itself: whoever has not read as far misses what nobody could count. */
  #uncounted = 0;
  /** Since when, and why, there is no connection; undefined while there is one, and before the first. */
  #away: { readonly from: number; readonly why: string } | undefined;
  #live = false;

  /** It begins `at`. `former`: the epochs that it continues, which died with their thread. */
  constructor(epoch: string, bounds: JournalBounds, former: readonly string[] = [], at = 0) {
    this.epoch = epoch;
    this.#bounds = bounds;
    this.#former = former;
    this.#began = at;
    if (former.length > 0) this.#mark(at, { dropped: null, reason: "crashed" });
  }

  get size(): number {
    return this.#newest - this.#oldest + 1;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The place of the newest entry; 0 before the first. */
  get newest(): number {
    return this.#newest;
  }

  append(data: Body, kind: MessageKind, at: number): void {
    this.back(at);
    const place = this.#shelf.put(data);
    this.#makeRoom(place.length);
    this.#push({ seq: this.#newest + 1, at, kind, place });
  }

  /** The connection is gone: what the upstream says from here on nobody hears. */
  away(at: number, why: string): void {
    if (this.#live) this.#away ??= { from: at, why };
  }

  /** It stays away: what readers have missed so far is told now, for nobody knows when it will be over. */
  still(at: number, why: string): void {
    if (this.#away === undefined) return;
    this.#away = { ...this.#away, why };
    this.back(at);
    this.#away = { from: at, why };
  }

  /** There is a connection (again). */
  back(at: number): void {
    this.#live = true;
    if (this.#away === undefined) return;
    const { from, why } = this.#away;
    this.#away = undefined;
    this.#mark(at, { dropped: null, reason: "away", from, to: at, why });
  }

  /** Undefined when the cursor is ahead of all that there has been: nobody was ever given it. */
  read({ after, limit, where }: ReadOptions): Page | undefined {
    const from = this.#place(after);
    if (from.seq > this.#newest) return undefined;
    const entries: JournalEntry[] = from.gap ? [from.gap] : [];
    let next = Math.max(from.seq, this.#oldest - 1);
    let bytes = 0;
    for (let scanned = 0; next < this.#newest && entries.length < limit && scanned < PAGE_SCAN; scanned++) {
      const kept = this.#at(next + 1);
      const size = sizeOf(kept);
      const entry = "gap" in kept ? kept : this.#message(kept);
      const wanted = "gap" in entry || where === undefined || where(entry);
      if (wanted && bytes > 0 && bytes + size > PAGE_BYTES) break;
      next++;
      if (!wanted) continue;
      bytes += size;
      entries.push(entry);
    }
    return { epoch: this.epoch, entries, next, end: next === this.#newest, gone: from.gone };
  }

  /** From which place on a reader goes on, and the gap that stands before it. */
  #place(after: Start): { readonly seq: number; readonly gap?: Gap | undefined; readonly gone: boolean } {
    if (after === "latest") return { seq: this.#newest, gone: false };
    if (after === "earliest") return { seq: 0, gap: this.#overflow(0, null), gone: false };
    if (after.epoch === this.epoch) {
      const gap = this.#overflow(after.seq, cursorText(after));
      return { seq: after.seq, gap, gone: gap !== undefined };
    }
    const crashed = this.#former.includes(after.epoch);
    // What tells of the crash is the first entry of all, as long as it is kept.
    if (crashed && this.#oldest === 1) return { seq: 0, gone: false };
    const reason = crashed ? "crashed" : "expired";
    return { seq: 0, gap: this.#gapBefore(cursorText(after), { dropped: null, reason }), gone: true };
  }

  /** What a reader who has seen everything up to `seq` has missed by now. */
  #overflow(seq: number, after: string | null): Gap | undefined {
    if (seq >= this.#oldest - 1) return undefined;
    const dropped = seq < this.#uncounted ? null : this.#oldest - 1 - seq;
    return this.#gapBefore(after, { dropped, reason: "overflow" });
  }

  #mark(at: number, gap: Omit<Gap["gap"], "after" | "before">): void {
    this.#makeRoom(0);
    const seq = this.#newest + 1;
    this.#push(this.#gap(seq, at, seq === 1 ? null : this.#cursor(seq - 1), gap));
  }

  /** What is missing before all that is kept: as old as the oldest of that, or else as this life. */
  #gapBefore(after: string | null, gap: Omit<Gap["gap"], "after" | "before">): Gap {
    const oldest = this.#ring[this.#oldest % this.#bounds.count];
    return this.#gap(this.#oldest - 1, oldest?.at ?? this.#began, after, gap);
  }

  #gap(seq: number, at: number, after: string | null, gap: Omit<Gap["gap"], "after" | "before">): Gap {
    return { seq, at, gap: { after, before: this.#cursor(seq + 1), ...gap } };
  }

  #cursor(seq: number): string {
    return cursorText({ epoch: this.epoch, seq });
  }

  /** One that is larger than the bound by itself is kept all the same, alone. */
  #makeRoom(length: number): void {
    const { count, bytes } = this.#bounds;
    while (this.size > 0 && (this.size >= count || this.#bytes + ENTRY_BYTES + length > bytes)) this.#drop();
  }

  #push(entry: StoredMessage | Gap): void {
    this.#newest = entry.seq;
    this.#ring[entry.seq % this.#bounds.count] = entry;
    this.#bytes += sizeOf(entry);
  }

  #message({ seq, at, kind, place }: StoredMessage): Message {
    return { seq, at, kind, data: kind === "binary" ? this.#shelf.bytes(place) : this.#shelf.text(place) };
  }

  #drop(): void {
    const entry = this.#at(this.#oldest);
    this.#bytes -= sizeOf(entry);
    this.#ring[this.#oldest % this.#bounds.count] = undefined;
    this.#oldest++;
    if ("gap" in entry) this.#uncounted = entry.seq;
    else this.#shelf.drop(entry.place);
  }

  #at(seq: number): StoredMessage | Gap {
    const entry = this.#ring[seq % this.#bounds.count];
    if (entry === undefined) throw new RangeError(`nothing is kept at ${seq}`);
    return entry;
  }
}

export function cursorText({ epoch, seq }: Cursor): string {
  return `${epoch}-${seq}`;
}

/** Undefined when the text is no cursor. */
export function parseCursor(text: string): Cursor | undefined {
  const [, epoch, digits] = /^([0-9a-z]{1,32})-(\d{1,15})$/.exec(text) ?? [];
  return epoch === undefined ? undefined : { epoch, seq: Number(digits) };
}

function sizeOf(entry: StoredMessage | Gap): number {
  return ENTRY_BYTES + ("gap" in entry ? 0 : entry.place.length);
}
