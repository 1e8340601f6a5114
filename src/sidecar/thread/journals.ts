/** The journals of one upstream on its thread, and the reads that wait for messages. */

import { SHARED_MAX_BYTES, type StoredBody } from "../../core/messages/body-store.ts";
import {
  type Cursor,
  countedBytesOf,
  type GapDetails,
  Journal,
  MAIN_JOURNAL,
  type Message,
  type Page,
  type ReadOptions,
  type Start,
} from "../../core/messages/journal.ts";
import type { KeptRequest, NoRequest, UpstreamRequest } from "../../core/messages/upstream-requests.ts";
import { type Losses, tallyCells, tallyIn } from "../../core/tally.ts";
import { Budget } from "../../core/util/budget.ts";
import { TransientMap } from "../../core/util/transient.ts";
import type { Body } from "../../protocols/protocol.ts";
import type { FromThread, JournalEpochs, NoPage, ReadCommand } from "../contract.ts";
import { takeTurn } from "../turns.ts";
import { JournalFilters } from "./journal-filters.ts";

interface WaitingRead {
  readonly command: ReadCommand;
  /** The options to read on with: after the messages that were examined and did not match. */
  options: ReadOptions;
  /** True while it waits for its turn. */
  isQueued: boolean;
}

/** Takes what a connection brings to the journals. */
export interface MessageWriter {
  /** Makes sure that there is such a journal. */
  open(name: string, epochs: JournalEpochs): void;
  remove(name: string): void;
  /**
   * @param tracked true if the place is asked for later
   * @returns the message's number, or a preliminary one; undefined if it is not kept, or not numbered yet
   */
  append(
    name: string,
    data: Body,
    kind: Message["kind"],
    request?: UpstreamRequest,
    tracked?: boolean,
  ): number | undefined;
  /** Opens a gap in every journal: the connection is gone. */
  away(why: string): void;
  /** Opens a gap in every subscription's journal: on the new connection they are not subscribed yet. */
  handedOver(why: string): void;
  /** The subscription is not active: readers get the gap so far. */
  still(name: string, why: string): void;
  missed(name: string, why: string): void;
  /** While `on`, what comes until `back` was missed before: it belongs in front of the gap. */
  resuming(name: string, on: boolean): void;
  back(name: string, filled?: boolean): void;
}

/** How often reads that wait for memory look for it, in milliseconds. */
const ROOM_EVERY_MS = 20;

type LoggedEntry =
  | { readonly at: number; readonly gap: GapDetails; readonly isBehindSkipped?: true }
  | {
      readonly at: number;
      readonly data: Body;
      readonly kind: Message["kind"];
      readonly request: UpstreamRequest | undefined;
    };

export class Journals implements MessageWriter {
  readonly #upstream: string;
  #bounds: { readonly count: number; readonly bytes: number };
  readonly #post: (message: FromThread) => void;
  readonly #journals = new Map<string, Journal>();
  readonly #takeTurn: (work: () => void) => void;
  readonly #filters = new JournalFilters();
  readonly #waiting = new TransientMap<number, WaitingRead>();
  #roomTimer: NodeJS.Timeout | undefined;
  readonly #losses: Losses;
  readonly #budget: Budget;
  /** The large message of this turn, which may go to several journals. */
  #large: { readonly data: Body; readonly stored: StoredBody } | undefined;

  constructor(
    upstream: string,
    bounds: { readonly count: number; readonly bytes: number },
    post: (message: FromThread) => void,
    budget = Budget.alone(),
    take = takeTurn,
    losses: Losses = tallyIn(tallyCells()),
  ) {
    this.#losses = losses;
    this.#budget = budget;
    this.#takeTurn = take;
    this.#upstream = upstream;
    this.#bounds = bounds;
    this.#post = post;
  }

  open(name: string, { epoch, former }: JournalEpochs): void {
    this.#filters.forget();
    this.#journals.set(name, new Journal(epoch, this.#bounds, former, Date.now(), this.#budget, this.#losses));
  }

  /** Keeps as much as these bounds allow, in every journal. */
  resize(bounds: { readonly count: number; readonly bytes: number }): void {
    this.#bounds = bounds;
    for (const journal of this.#journals.values()) journal.resize(bounds);
  }

  /** Forgets everything: the upstream is removed. */
  end(): void {
    for (const journal of this.#journals.values()) journal.close();
    this.#journals.clear();
    this.#waiting.clear();
    clearTimeout(this.#roomTimer);
  }

  /** Ends the reads that wait for a message of this journal. */
  remove(name: string): void {
    const journal = this.#journals.get(name);
    journal?.close();
    this.#journals.delete(name);
    this.#scheduleRetry();
  }

  get kept(): { readonly messages: number; readonly bytes: number } {
    const all = [...this.#journals.values()];
    const sum = (of: (journal: Journal) => number) => all.reduce((total, journal) => total + of(journal), 0);
    return { messages: sum(({ size }) => size), bytes: sum(({ bytes }) => bytes) };
  }

  append(name: string, data: Body, kind: Message["kind"], request?: UpstreamRequest): number | undefined {
    const journal = this.#journals.get(name);
    if (!journal) return undefined;
    this.#append(journal, data, kind, Date.now(), request);
    return journal.newest;
  }

  #append(journal: Journal, data: Body, kind: Message["kind"], at: number, request?: UpstreamRequest): void {
    const same = this.#large?.data === data ? this.#large.stored : undefined;
    if (!same) this.#makeRoom(journal, data.length);
    const stored = journal.append(data, kind, at, same, request);
    if (!same && data.length > SHARED_MAX_BYTES) this.#remember(data, stored);
    this.#scheduleRetry();
  }

  // The journals of a log: it numbers their entries.

  /** Opens a journal whose next entry has this number, in place of the one of this name. */
  begin(name: string, epoch: string, next: number): void {
    this.#journals.get(name)?.close();
    this.open(name, { epoch, former: [] });
    if (next > 1) this.#journals.get(name)?.skipTo(next);
    this.#scheduleRetry();
  }

  /**
   * Adds a logged message or gap.
   *
   * @param number may be greater than the next: entries before it are missing, but for those that were skipped
   */
  add(name: string, number: number, entry: LoggedEntry): void {
    const journal = this.#journals.get(name);
    if (!journal) return;
    const isBehindSkipped = "gap" in entry && entry.isBehindSkipped;
    if (isBehindSkipped) journal.jumpTo(number);
    else if (number > journal.newest + 1) journal.skipTo(number);
    if ("data" in entry) this.#append(journal, entry.data, entry.kind, entry.at, entry.request);
    else journal.appendGap(entry.at, entry.gap);
    this.#scheduleRetry();
  }

  /** Forgets all journals, but not the reads that wait: the log has begun anew. */
  clear(): void {
    for (const journal of this.#journals.values()) journal.close();
    this.#journals.clear();
  }

  /** The place of the newest message, or the one before the first; undefined without such a journal. */
  newestOf(name: string): Cursor | undefined {
    const journal = this.#journals.get(name);
    return journal && { epoch: journal.epoch, seq: journal.newest };
  }

  /** The request of the upstream's in a place, whichever journal has it: no two have the same epoch. */
  requestAt({ epoch, seq }: Cursor): KeptRequest | NoRequest {
    for (const journal of this.#journals.values()) if (journal.epoch === epoch) return journal.requestAt(seq);
    return "dropped";
  }

  epochOf(name: string): string | undefined {
    return this.#journals.get(name)?.epoch;
  }

  #remember(data: Body, stored: StoredBody): void {
    if (!this.#large) {
      setImmediate(() => {
        this.#large = undefined;
      });
    }
    this.#large = { data, stored };
  }

  /**
   * Evicts messages until the journals of all upstreams are within their part of the memory: of this journal, if it
   * has as much as the others on average, and of the largest otherwise.
   */
  #makeRoom(journal: Journal, bytes: number): void {
    const { size } = this.#journals;
    while (this.#budget.heldBy("journals") + bytes > this.#budget.partOf("journals")) {
      const isLarge = journal.bytes * size >= this.kept.bytes;
      if (!(isLarge ? journal : this.#largest()).shrink() && !journal.shrink()) return;
    }
  }

  #largest(): Journal {
    return [...this.#journals.values()].reduce((largest, one) => (one.bytes > largest.bytes ? one : largest));
  }

  away(why: string): void {
    for (const journal of this.#journals.values()) journal.markAway(Date.now(), why);
  }

  handedOver(why: string): void {
    for (const [name, journal] of this.#journals) if (name !== MAIN_JOURNAL) journal.markAway(Date.now(), why);
  }

  still(name: string, why: string): void {
    const journal = this.#journals.get(name);
    journal?.markAway(Date.now(), why);
    journal?.recordAway(Date.now(), why);
    this.#scheduleRetry();
  }

  missed(name: string, why: string): void {
    this.#journals.get(name)?.markMissed(Date.now(), why);
    this.#scheduleRetry();
  }

  resuming(name: string, on: boolean): void {
    this.#journals.get(name)?.markResuming(on);
  }

  back(name: string, filled?: boolean): void {
    this.#journals.get(name)?.markBack(Date.now(), filled);
    this.#scheduleRetry();
  }

  read(command: ReadCommand): void {
    const { seq, after, limit } = command;
    const where = this.#filters.of(command);
    const waiting = { command, options: { after, limit, where }, isQueued: false };
    this.#waiting.set(seq, waiting);
    this.#queue(waiting);
  }

  cancelRead(seq: number): void {
    this.#waiting.delete(seq);
  }

  /** Reads when its turn has come: there may be thousands, and requests go before them. */
  #queue(waiting: WaitingRead): void {
    if (waiting.isQueued) return;
    waiting.isQueued = true;
    this.#takeTurn(() => {
      waiting.isQueued = false;
      if (this.#waiting.get(waiting.command.seq) === waiting) this.#attempt(waiting);
    });
  }

  #attempt(waiting: WaitingRead): void {
    const { command, options } = waiting;
    if (!this.#budget.allows("pages", 0)) {
      this.#retryLater();
      return;
    }
    const journal = this.#journals.get(command.journal);
    const page = journal ? (journal.read(options) ?? "ahead") : "nowhere";
    const due = typeof page === "string" || page.entries.length > 0 || (page.end && !command.wait);
    if (due || isFarFrom(command.after, page, journal?.size ?? 0)) {
      this.#waiting.delete(command.seq);
      this.#postPage(command.seq, page);
      return;
    }
    waiting.options = { ...options, after: { epoch: page.epoch, seq: page.next } };
    const readOn = () => this.#queue(waiting);
    if (!page.end && !this.#filters.awaits(options.where, page.next + 1, readOn)) readOn();
  }

  /** Retries the waiting reads after this turn, so that messages of one turn share a page. */
  #scheduleRetry(): void {
    for (const waiting of this.#waiting.values()) this.#queue(waiting);
  }

  /** Waits for the readers of large pages to take them: others are read in their turn. */
  #retryLater(): void {
    this.#roomTimer ??= setTimeout(() => {
      this.#roomTimer = undefined;
      this.#scheduleRetry();
    }, ROOM_EVERY_MS).unref();
  }

  #postPage(seq: number, page: Page | NoPage): void {
    if (typeof page !== "string") {
      this.#budget.take("pages", countedBytesOf(page));
      this.#countGaps(page);
    }
    this.#post({ type: "page", upstream: this.#upstream, seq, page });
  }

  #countGaps({ entries }: Page): void {
    for (const entry of entries) {
      if (!("gap" in entry)) continue;
      const { reason, dropped } = entry.gap;
      this.#losses[reason]++;
      this.#losses.missed += dropped ?? 0;
    }
  }
}

/**
 * True if so many messages did not match that the reader needs a newer cursor. From its own it would sooner or later
 * get a gap, for messages that were examined on its behalf. Half of the journal is the limit, so that each new cursor
 * stays valid for as long again.
 */
function isFarFrom(after: Start, { epoch, next }: Page, kept: number): boolean {
  return typeof after !== "string" && after.epoch === epoch && next - after.seq > kept / 2;
}
