/** The writer of an upstream's log at its owner: batches, one on its way at a time. */
import type { Body } from "../../protocols/protocol.ts";
import { type GapDetails, type JournalBounds, MAIN_JOURNAL, type MessageKind } from "../messages/journal.ts";
import type { JournalPlace, LogBatch, LogItem, LogLife } from "./log-batch.ts";
import { LAST_NUMBER } from "./log-fold.ts";

/** To be appended to the log; the same id again is the same batch. Report `appended` once it is stored. */
export interface LogAppend {
  readonly id: string;
  readonly batch: LogBatch;
  readonly withinMs: number;
}

type Queued =
  | LogItem
  | { readonly type: "open"; readonly name: string; readonly epoch: string }
  | { readonly type: "close"; readonly name: string };

/** Number of messages, null if there were gaps among them. */
interface Dropped {
  readonly at: number;
  readonly count: number | null;
}

interface Term {
  number: number;
  readonly epoch: string;
  /** Undefined until our own fold has reached the beginning of this term. */
  places: Map<string, JournalPlace> | undefined;
}

interface OnItsWay {
  readonly append: LogAppend;
  sentAt: number;
}

/** Size of a batch, in UTF-16 units or bytes; a message that is larger goes alone. */
const BATCH_SIZE = 192 * 1024;
/** The largest message: in UTF-8, which has up to three bytes for a unit, it fits into an entry of the log. */
export const LOGGED_MAX = 240 * 1024;
/** Time until the same batch is sent again, if nobody said that it is stored. */
const AGAIN_MS = 1_000;
/** A term's numbers begin at its time since 2026, so many for each millisecond: more than a log takes. */
const NUMBERS_SINCE = Date.UTC(2026);
const NUMBERS_PER_MS = 128;
/** Approximate size of an item besides its data. */
const ITEM_SIZE = 128;

/**
 * The items of a term wait until our own fold has reached the term's beginning, because only then their numbers are
 * known. Times are the clock's that never goes back, but those of items. Each input returns what is to be appended now.
 */
export class LogWriter {
  #bounds: JournalBounds;
  #isGathering = false;
  #term: Term | undefined;
  #queue: Queued[] = [];
  #queuedSize = 0;
  /** Messages that had to make room, by journal: a gap stands for them in front of what is left. */
  readonly #dropped = new Map<string, Dropped>();
  #onItsWay: OnItsWay | undefined;
  #batches = 0;
  /** Size of the batches since the last one that had all places. */
  #sinceAllPlaces = Number.POSITIVE_INFINITY;

  constructor(bounds: JournalBounds) {
    this.#bounds = bounds;
  }

  /** The time at which to call `tick`; undefined if nothing is awaited. */
  get wakeAt(): number | undefined {
    return this.#onItsWay && this.#onItsWay.sentAt + AGAIN_MS;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** Number of messages and gaps that are not known to be stored. */
  get unstored(): number {
    return this.#queue.filter((one) => !("type" in one)).length + (this.#onItsWay?.append.batch.items.length ?? 0);
  }

  resize(bounds: JournalBounds): void {
    this.#bounds = bounds;
    this.#makeRoom();
  }

  /** Takes items from here on, of a term that begins once our own fold has read the log to its end. */
  gather(): void {
    this.#isGathering = true;
  }

  /**
   * Begins a term, or a new epoch in the same term.
   *
   * @param log its epoch is the fold's, once that has read the log to its end; a new one if it has none
   */
  begin(
    term: number,
    log: { readonly epoch: string; readonly isNew: boolean },
    silence: Omit<LogLife, "first">,
    now: number,
  ): LogAppend {
    const { epoch } = log;
    const life = { ...silence, first: firstAt(silence.at) };
    this.#isGathering = true;
    this.#term = { number: term, epoch, places: undefined };
    this.#onItsWay = undefined;
    const journals = log.isNew ? [{ name: MAIN_JOURNAL, epoch, next: 1 }] : [];
    return this.#send({ term, epoch, life, journals, items: [], closed: [] }, now);
  }

  /** The term goes on under another number: nobody else held the upstream in between. */
  renew(term: number): void {
    if (this.#term) this.#term.number = term;
  }

  /** Somebody else writes from now on; what has not been stored is in the gap before their term. */
  end(): void {
    this.#isGathering = false;
    this.#term = undefined;
    this.#onItsWay = undefined;
    this.#queue = [];
    this.#queuedSize = 0;
    this.#dropped.clear();
  }

  /** Our own fold has reached the beginning of this term, and has these journals. */
  reached(epoch: string, places: readonly JournalPlace[], now: number): LogAppend | undefined {
    const term = this.#term;
    if (!term || term.places || term.epoch !== epoch) return undefined;
    term.places = new Map(places.map((place) => [place.name, place]));
    // The acknowledgement may be lost, or still be on its way.
    this.#onItsWay = undefined;
    return this.#sendPlaces(term, term.places, now);
  }

  /** Makes sure that there is such a journal. @param epoch for a new one */
  open(name: string, epoch: string, now: number): LogAppend | undefined {
    return this.#add({ type: "open", name, epoch }, now);
  }

  close(name: string, now: number): LogAppend | undefined {
    return this.#add({ type: "close", name }, now);
  }

  /** @param tag by which the fold's caller knows the message again */
  append(journal: string, at: number, kind: MessageKind, data: Body, now: number, tag?: number): LogAppend | undefined {
    const item = { journal, at, kind, data, ...(tag !== undefined && { tag }) };
    if (data.length <= LOGGED_MAX) return this.#add(item, now);
    const why = `a message of ${data.length} is larger than a log takes (${LOGGED_MAX})`;
    return this.gap(journal, at, { dropped: 1, reason: "overflow", why }, now);
  }

  gap(journal: string, at: number, gap: GapDetails, now: number): LogAppend | undefined {
    return this.#add({ journal, at, gap }, now);
  }

  appended(id: string, now: number): LogAppend | undefined {
    if (this.#onItsWay?.append.id !== id) return undefined;
    this.#onItsWay = undefined;
    return this.#sendNext(now);
  }

  tick(now: number): LogAppend | undefined {
    const sent = this.#onItsWay;
    if (!sent || now < sent.sentAt + AGAIN_MS) return undefined;
    sent.sentAt = now;
    return sent.append;
  }

  #add(queued: Queued, now: number): LogAppend | undefined {
    if (!this.#isGathering) return undefined;
    this.#queue.push(queued);
    this.#queuedSize += sizeOf(queued);
    this.#makeRoom();
    return this.#sendNext(now);
  }

  /** A message that is too large for the bounds is kept alone, as in a journal. */
  #makeRoom(): void {
    const { count, bytes } = this.#bounds;
    while (this.#queue.length > count || this.#queuedSize > bytes) {
      const at = this.#queue.findIndex((one) => !("type" in one));
      if (at === -1 || at === this.#queue.length - 1) return;
      const [oldest] = this.#queue.splice(at, 1);
      if (!oldest || "type" in oldest) return;
      this.#queuedSize -= sizeOf(oldest);
      this.#countDropped(oldest);
    }
  }

  #countDropped(item: LogItem): void {
    const before = this.#dropped.get(item.journal)?.count;
    const count = "gap" in item || before === null ? null : (before ?? 0) + 1;
    this.#dropped.set(item.journal, { at: item.at, count });
  }

  #sendNext(now: number): LogAppend | undefined {
    const places = this.#term?.places;
    if (!this.#term || !places || this.#onItsWay || this.#queue.length === 0) return undefined;
    if (this.#sinceAllPlaces >= this.#bounds.bytes / 4) return this.#sendPlaces(this.#term, places, now);
    return this.#send(this.#nextBatch(this.#term, places), now);
  }

  #send(batch: LogBatch, now: number): LogAppend {
    const append = { id: `${batch.term}-${batch.epoch}-${++this.#batches}`, batch, withinMs: AGAIN_MS };
    this.#onItsWay = { append, sentAt: now };
    return append;
  }

  /** A replica that begins to read later finds the journals of which there are no entries in the log any more. */
  #sendPlaces({ number, epoch }: Term, places: Map<string, JournalPlace>, now: number): LogAppend {
    this.#sinceAllPlaces = 0;
    return this.#send({ term: number, epoch, journals: [...places.values()], items: [], closed: [] }, now);
  }

  #nextBatch({ number, epoch }: Term, places: Map<string, JournalPlace>): LogBatch {
    const batch = new Assembly(places, this.#dropped);
    let size = 0;
    let taken = 0;
    for (const one of this.#queue) {
      if (batch.closed.length > 0 || (taken > 0 && size + sizeOf(one) > BATCH_SIZE)) break;
      taken++;
      size += sizeOf(one);
      batch.put(one);
    }
    this.#queue.splice(0, taken);
    this.#queuedSize -= size;
    this.#sinceAllPlaces += ENVELOPE_SIZE + size;
    batch.putDropped();
    const { journals, items, closed } = batch;
    return { term: number, epoch, journals: [...journals.values()], items, closed };
  }
}

/** A batch in the making, which numbers its items. */
class Assembly {
  readonly journals = new Map<string, JournalPlace>();
  readonly items: LogItem[] = [];
  readonly closed: string[] = [];
  readonly #places: Map<string, JournalPlace>;
  readonly #dropped: Map<string, Dropped>;

  constructor(places: Map<string, JournalPlace>, dropped: Map<string, Dropped>) {
    this.#places = places;
    this.#dropped = dropped;
  }

  put(queued: Queued): void {
    if (!("type" in queued)) {
      this.#putDroppedOf(queued.journal);
      this.#putItem(queued);
    } else if (queued.type === "open") this.#open(queued);
    else if (this.#places.delete(queued.name)) this.closed.push(queued.name);
  }

  /** Gaps of journals whose newest messages had to make room for those of others. */
  putDropped(): void {
    for (const journal of this.#dropped.keys()) this.#putDroppedOf(journal);
  }

  #putDroppedOf(journal: string): void {
    const dropped = this.#dropped.get(journal);
    if (!dropped || !this.#places.has(journal)) return;
    this.#dropped.delete(journal);
    this.#putItem({ journal, at: dropped.at, gap: { dropped: dropped.count, reason: "overflow" } });
  }

  #putItem(item: LogItem): void {
    const place = this.#places.get(item.journal);
    if (!place) return;
    if (!this.journals.has(place.name)) this.journals.set(place.name, place);
    this.#places.set(place.name, { ...place, next: place.next + 1 });
    this.items.push(item);
  }

  #open({ name, epoch }: { readonly name: string; readonly epoch: string }): void {
    if (this.#places.has(name)) return;
    const place = { name, epoch, next: 1 };
    this.#places.set(name, place);
    this.journals.set(name, place);
  }
}

/**
 * The least number of a term that begins at this time of the wall clock: greater than all that were given before,
 * though a store has lost them. A clock that is further off than a log can count does not matter.
 */
function firstAt(at: number): number {
  const first = Math.floor((at - NUMBERS_SINCE) * NUMBERS_PER_MS);
  return first > 0 && first < LAST_NUMBER ? first : 1;
}

function sizeOf(queued: Queued): number {
  if ("data" in queued) return ITEM_SIZE + queued.data.length;
  return ITEM_SIZE + ("gap" in queued ? (queued.gap.why?.length ?? 0) : 0);
}

/** The size of a batch besides its items: subject, headers, places. */
const ENVELOPE_SIZE = 1_024;
