/** The journal of an upstream's unsolicited messages: in order of arrival, bounded by count and bytes. */
import type { Body } from "../../protocols/protocol.ts";
import { Budget } from "../util/budget.ts";
import { Absence } from "./absence.ts";
import { BodyStore, type StoredBody } from "./body-store.ts";
import type { KeptRequest, NoRequest, ReplyState, UpstreamRequest } from "./upstream-requests.ts";

/** The name of the journal of the messages that no subscription claims. */
export const MAIN_JOURNAL = "";

/** `json`: text that is one JSON value. */
export type MessageKind = "json" | "text" | "binary";

export interface Message {
  readonly seq: number;
  /** Wall-clock time in milliseconds since 1970. */
  readonly at: number;
  readonly kind: MessageKind;
  readonly data: Body;
  /** Only set on a request of the upstream's own: the state at the time of the read. */
  readonly reply?: ReplyState | undefined;
}

/**
 * - `overflow`: the messages were evicted to make room for newer ones, or there was no room to keep them.
 * - `away`: there was no connection, so it is unknown which messages the upstream would have sent.
 * - `crashed`: the thread died, and its journal with it.
 * - `expired`: the cursor dates from before this process.
 * - `refused`: a webhook's receiver did not take the message, and it was given up. Only that receiver gets this gap.
 */
export type GapReason = "overflow" | "away" | "crashed" | "expired" | "refused";

/** Messages are missing between the cursors `after` and `before`. */
export interface Gap {
  readonly seq: number;
  readonly at: number;
  readonly gap: {
    readonly after: string | null;
    readonly before: string;
    /** Number of missing messages; null if unknown. */
    readonly dropped: number | null;
    readonly reason: GapReason;
    /** For `away`: its start and end as wall-clock times in milliseconds. */
    readonly from?: number | undefined;
    readonly to?: number | undefined;
    /** For `away`, if the upstream can resume: true if it has, and so has sent or sends what was missed. */
    readonly filled?: boolean | undefined;
    /** For `away`, and where there was no room. */
    readonly why?: string | undefined;
  };
}

export type JournalEntry = Message | Gap;

/** Messages that readers cannot have any more, or never could. */
export interface JournalLosses {
  /** Messages that were evicted to make room for newer ones, whether or not they had been read. */
  readonly evicted: number;
  /** Gaps that readers got, by reason; those who share a page count as one. */
  readonly gaps: Readonly<Partial<Record<GapReason, number>>>;
  /** The messages that are missing in these gaps, as far as their number is known. */
  readonly missed: number;
}

/** A gap without its place. */
export type GapDetails = Omit<Gap["gap"], "after" | "before">;

type StoredMessage = Omit<Message, "data" | "reply"> & {
  readonly body: StoredBody;
  readonly request?: UpstreamRequest | undefined;
};

/** The start of a read: after a cursor, or at either end of the journal. */
export type Start = "earliest" | "latest" | Cursor;

/** A position, written `<epoch>-<seq>`. The epoch identifies one life of a journal, so lives are never confused. */
export interface Cursor {
  readonly epoch: string;
  readonly seq: number;
}

/** Selects messages, never gaps. */
export interface MessageFilter {
  /** The number of rules: each may walk over a whole message. */
  readonly rules: number;
  /** The earlier verdict on a message; undefined if there is none, or no longer. */
  known(seq: number): boolean | undefined;
  /** @returns undefined if the message takes too long to examine at once: read on when the filter knows it */
  selects(seq: number, bytes: number, message: () => Message): boolean | undefined;
}

export interface ReadOptions {
  readonly after: Start;
  /** Maximum number of entries in the page. */
  readonly limit: number;
  /** Undefined selects all. */
  readonly where?: MessageFilter | undefined;
}

export interface Page {
  readonly epoch: string;
  readonly entries: readonly JournalEntry[];
  /** The next page begins after this `seq`. */
  readonly next: number;
  /** True if the journal held no further entries at the time of the read. */
  readonly end: boolean;
  /** True if entries after the cursor have been lost: the first entry is the gap that stands for them. */
  readonly gone: boolean;
}

export interface JournalBounds {
  /** Maximum number of messages and gaps together. */
  readonly count: number;
  readonly bytes: number;
}

/**
 * Size from which a page is full; a single message may be larger. The reader of a stream is cut off if it takes less
 * than one page a minute, so the page size determines how slow a reader may be.
 */
const PAGE_BYTES = 64 * 1024;
/**
 * Maximum of bytes times rules that a filter examines for one page, so that a rare match never blocks the thread: some
 * milliseconds. A message that it knows already counts as {@link KNOWN_BYTES}.
 */
const SCAN_BYTES = 256 * 1024;
const KNOWN_BYTES = 16;
/** A page of which there is more than usual: it has a message that is large. */
const HEAVY_PAGE_BYTES = 2 * PAGE_BYTES;
/** Approximate overhead of an entry besides its data, in bytes. */
const ENTRY_BYTES = 128;

/** The bytes of a page's messages that count in the budget until its readers have taken them: those of a large page. */
export function countedBytesOf({ entries }: Pick<Page, "entries">): number {
  const bytes = entries.reduce((total, entry) => total + ("data" in entry ? entry.data.length : 0), 0);
  return bytes >= HEAVY_PAGE_BYTES ? bytes : 0;
}

/** Numbers that no entry has, in front of the entry with this place in the order of all. */
interface Jump {
  readonly place: number;
  readonly skipped: number;
}

/**
 * Messages that a reader missed appear as a gap in their place. Times are arguments. An entry has a `seq`, by which
 * readers know it, and a place: both grow by one, but where numbers are skipped.
 */
export class Journal {
  readonly epoch: string;
  #bounds: JournalBounds;
  readonly #formerEpochs: readonly string[];
  readonly #startedAt: number;
  /** Indexed by the place modulo `count`. */
  #ring: (StoredMessage | Gap | undefined)[] = [];
  readonly #budget: Budget;
  readonly #bodies: BodyStore;
  /** The places of the oldest and of the newest entry. */
  #oldest = 1;
  #newest = 0;
  /** The numbers that were skipped in front of the oldest entry, in front of all, and where, from the oldest on. */
  #skippedBefore = 0;
  #skipped = 0;
  readonly #jumps: Jump[] = [];
  #bytes = 0;
  /** The place of the newest evicted gap: a reader before it has missed an unknown number of messages. */
  #newestEvictedGap = 0;
  readonly #absence = new Absence();
  readonly #losses: { evicted: number };

  /**
   * @param formerEpochs the epochs that this journal continues and that were lost with their thread
   * @param at           when this life begins, by the wall clock
   * @param losses       counts the messages that are evicted
   */
  constructor(
    epoch: string,
    bounds: JournalBounds,
    formerEpochs: readonly string[] = [],
    at = 0,
    budget = Budget.alone(),
    losses = { evicted: 0 },
  ) {
    this.epoch = epoch;
    this.#losses = losses;
    this.#budget = budget;
    this.#bodies = new BodyStore(budget);
    this.#bounds = bounds;
    this.#formerEpochs = formerEpochs;
    this.#startedAt = at;
    if (formerEpochs.length > 0) this.appendGap(at, { dropped: null, reason: "crashed" });
  }

  get size(): number {
    return this.#newest - this.#oldest + 1;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The `seq` of the newest entry; 0 before the first. */
  get newest(): number {
    return this.#newest + this.#skipped;
  }

  /**
   * @param same the body as another journal keeps it, if it is large and the same
   * @param request set if the message is a request of the upstream's own
   * @returns the body as it is kept
   */
  append(data: Body, kind: MessageKind, at: number, same?: StoredBody, request?: UpstreamRequest): StoredBody {
    if (!this.#absence.isResuming) this.markBack(at);
    const body = same ? this.#bodies.share(same) : this.#bodies.put(data);
    this.#makeRoom(body.length);
    this.#push({ seq: this.newest + 1, at, kind, body, request });
    return body;
  }

  /** Keeps what the other bounds have room for, the newest first. */
  resize(bounds: JournalBounds): void {
    while (this.size > 0 && (this.size > bounds.count || this.#bytes > bounds.bytes)) {
      // A message larger than the byte bound is kept alone.
      if (this.size === 1) break;
      this.#evictOldest();
    }
    const kept: (StoredMessage | Gap | undefined)[] = [];
    for (let place = this.#oldest; place <= this.#newest; place++) kept[place % bounds.count] = this.#entryAt(place);
    this.#ring = kept;
    this.#bounds = bounds;
  }

  /** Evicts the oldest entry, for lack of memory, but never the newest. @returns false if there is no other */
  shrink(): boolean {
    if (this.size < 2) return false;
    this.#evictOldest();
    return true;
  }

  /** Nobody reads it any more. */
  close(): void {
    while (this.size > 0) this.#dropOldest();
  }

  /** The connection is gone: messages that the upstream sends from now on are missed. */
  markAway(at: number, why: string): void {
    this.#absence.begin(at, why);
  }

  /** While `on`, messages are those of the time away. The gap comes behind them, and says how that ended. */
  markResuming(on: boolean): void {
    this.#absence.resume(on);
  }

  /** Appends the gap so far and begins the next one: readers should not have to wait until the connection is back. */
  recordAway(at: number, why: string): void {
    const gap = this.#absence.split(at, why);
    if (gap) this.appendGap(at, gap);
  }

  /** An unknown number of messages is missing here, because there was no room to keep them. */
  markMissed(at: number, why: string): void {
    this.markBack(at);
    this.appendGap(at, { dropped: null, reason: "overflow", why });
  }

  /** Messages can arrive (again): appends the gap of the time away, if there was one. */
  markBack(at: number, filled?: boolean): void {
    const gap = this.#absence.end(at, filled);
    if (gap) this.appendGap(at, gap);
  }

  appendGap(at: number, details: GapDetails): void {
    this.#makeRoom(0);
    const seq = this.newest + 1;
    this.#push(this.#gap(seq, at, seq === 1 ? null : this.#cursor(seq - 1), details));
  }

  /** The next entry has this number; those before it are missing, an unknown number of messages among them. */
  skipTo(seq: number): void {
    this.close();
    this.#oldest = seq - this.#skipped;
    this.#newest = this.#oldest - 1;
    this.#newestEvictedGap = this.#newest;
  }

  /** The next entry has this number, and no entry ever gets those before it. Append a gap, for their readers. */
  jumpTo(seq: number): void {
    const skipped = seq - this.newest - 1;
    this.#jumps.push({ place: this.#newest + 1, skipped });
    this.#skipped += skipped;
  }

  /** Returns undefined if the cursor is ahead of every entry: it was never handed out. */
  read({ after, limit, where }: ReadOptions): Page | undefined {
    const from = this.#locate(after);
    if (from.place > this.#newest) return undefined;
    const entries: JournalEntry[] = from.gap ? [from.gap] : [];
    let next = Math.max(from.place, this.#oldest - 1);
    let bytes = 0;
    let scanned = 0;
    while (next < this.#newest && entries.length < limit && scanned < SCAN_BYTES) {
      const stored = this.#entryAt(next + 1);
      const size = sizeOf(stored);
      let isSelected: boolean | undefined = true;
      if (where && !("gap" in stored)) {
        const known = where.known(stored.seq);
        scanned += known === undefined ? size * where.rules : KNOWN_BYTES;
        isSelected = known ?? where.selects(stored.seq, size, () => this.#message(stored));
      }
      if (isSelected === undefined || (isSelected && bytes > 0 && bytes + size > PAGE_BYTES)) break;
      next++;
      if (!isSelected) continue;
      bytes += size;
      entries.push("gap" in stored ? stored : this.#message(stored));
    }
    return { epoch: this.epoch, entries, next: this.#seqAt(next), end: next === this.#newest, gone: from.gone };
  }

  /** The request of the upstream's that is in this place, or why there is none. */
  requestAt(seq: number): KeptRequest | NoRequest {
    const place = this.#placeOf(seq);
    if (seq < 1 || place > this.#newest) return "unknown";
    if (place < this.#oldest) return "dropped";
    const entry = this.#entryAt(place);
    if ("gap" in entry || entry.seq !== seq) return "unknown";
    return entry.request ? { request: entry.request, data: this.#message(entry).data } : "plain";
  }

  /** Resolves a start to the place to read after, and the gap to show first. */
  #locate(after: Start): { readonly place: number; readonly gap?: Gap | undefined; readonly gone: boolean } {
    if (after === "latest") return { place: this.#newest, gone: false };
    if (after === "earliest") return { place: 0, gap: this.#overflow(0, null), gone: false };
    if (after.epoch === this.epoch) {
      const place = this.#placeOf(after.seq);
      const gap = this.#overflow(place, cursorText(after));
      return { place, gap, gone: gap !== undefined };
    }
    const crashed = this.#formerEpochs.includes(after.epoch);
    // Until it is evicted, the journal's first entry is the gap of the crash.
    if (crashed && this.#oldest === 1) return { place: 0, gone: false };
    const reason = crashed ? "crashed" : "expired";
    return { place: 0, gap: this.#gapBefore(cursorText(after), { dropped: null, reason }), gone: true };
  }

  /** The gap for a reader that has seen everything up to a place, if entries after it have been evicted. */
  #overflow(place: number, after: string | null): Gap | undefined {
    if (place >= this.#oldest - 1) return undefined;
    const dropped = place < this.#newestEvictedGap ? null : this.#oldest - 1 - place;
    return this.#gapBefore(after, { dropped, reason: "overflow" });
  }

  /** A gap before the oldest entry; it takes that entry's time or, in an empty journal, the journal's start. */
  #gapBefore(after: string | null, details: GapDetails): Gap {
    const oldest = this.#ring[this.#oldest % this.#bounds.count];
    return this.#gap(this.#seqAt(this.#oldest) - 1, oldest?.at ?? this.#startedAt, after, details);
  }

  /** The place of a number; of one that was skipped, the place in front of it. */
  #placeOf(seq: number): number {
    let before = this.#skippedBefore;
    for (const { place, skipped } of this.#jumps) {
      if (seq < place + before + skipped) return Math.min(seq - before, place - 1);
      before += skipped;
    }
    return seq - before;
  }

  #seqAt(place: number): number {
    let before = this.#skippedBefore;
    for (const jump of this.#jumps) if (jump.place <= place) before += jump.skipped;
    return place + before;
  }

  #gap(seq: number, at: number, after: string | null, details: GapDetails): Gap {
    return { seq, at, gap: { after, before: this.#cursor(seq + 1), ...details } };
  }

  #cursor(seq: number): string {
    return cursorText({ epoch: this.epoch, seq });
  }

  /** A message larger than the byte bound is still kept, alone. */
  #makeRoom(length: number): void {
    const { count, bytes } = this.#bounds;
    while (this.size > 0 && (this.size >= count || this.#bytes + ENTRY_BYTES + length > bytes)) this.#evictOldest();
  }

  #push(entry: StoredMessage | Gap): void {
    this.#newest++;
    this.#ring[this.#newest % this.#bounds.count] = entry;
    this.#bytes += sizeOf(entry);
    this.#budget.take("journals", ENTRY_BYTES);
  }

  #message({ seq, at, kind, body, request }: StoredMessage): Message {
    const data = kind === "binary" ? this.#bodies.bytes(body) : this.#bodies.text(body);
    return request ? { seq, at, kind, data, reply: request.reply } : { seq, at, kind, data };
  }

  #evictOldest(): void {
    if (!("gap" in this.#dropOldest())) this.#losses.evicted++;
  }

  #dropOldest(): StoredMessage | Gap {
    const entry = this.#entryAt(this.#oldest);
    this.#bytes -= sizeOf(entry);
    this.#budget.give("journals", ENTRY_BYTES);
    this.#ring[this.#oldest % this.#bounds.count] = undefined;
    if ("gap" in entry) this.#newestEvictedGap = this.#oldest;
    this.#oldest++;
    for (let jump = this.#jumps[0]; jump && jump.place < this.#oldest; jump = this.#jumps[0]) {
      this.#skippedBefore += jump.skipped;
      this.#jumps.shift();
    }
    if (!("gap" in entry)) this.#bodies.release(entry.body);
    return entry;
  }

  #entryAt(place: number): StoredMessage | Gap {
    const entry = this.#ring[place % this.#bounds.count];
    if (entry === undefined) throw new RangeError(`no journal entry at place ${place}`);
    return entry;
  }
}

export function cursorText({ epoch, seq }: Cursor): string {
  return `${epoch}-${seq}`;
}

/** Returns undefined if the text is not a cursor. */
export function parseCursor(text: string): Cursor | undefined {
  const [, epoch, digits] = /^([0-9a-z]{1,32})-(\d{1,15})$/.exec(text) ?? [];
  return epoch === undefined ? undefined : { epoch, seq: Number(digits) };
}

function sizeOf(entry: StoredMessage | Gap): number {
  return ENTRY_BYTES + ("gap" in entry ? 0 : entry.body.length);
}
