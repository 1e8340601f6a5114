import type { WireId } from "../../protocols/protocol.ts";
import type { Correlation, Stray } from "./correlation.ts";
import type { SentEntry } from "./request-table.ts";

/** Replies do not name their request: a lane, whose tombstones keep the next request waiting. */
export class CorrelateByOrder implements Correlation {
  /** The table of requests in flight wants an id for each, though none is ever on the wire. */
  readonly capacity = Number.MAX_SAFE_INTEGER;
  readonly #lane = new Lane();
  #current: SentEntry | undefined;
  /** Those in flight on connections that were left for a newer one. */
  readonly #older = new Set<SentEntry>();
  #last = 0;

  get nextDeadline(): number | undefined {
    return this.#lane.until;
  }

  draw(): number {
    return ++this.#last;
  }

  isTaken(): boolean {
    return false;
  }

  takes(expectsReply: boolean): boolean {
    return this.#current === undefined && this.#lane.takes(expectsReply);
  }

  handedOver(entry: SentEntry, now: number): void {
    if (entry.expectsReply) this.#current = entry;
    else this.#lane.bury(now, false);
  }

  /** The one in flight, whatever id the frame seems to have. */
  find(connection: number): SentEntry | undefined {
    if (this.#current?.phase.connection === connection) return this.#current;
    for (const entry of this.#older) if (entry.phase.connection === connection) return entry;
    return undefined;
  }

  ended(entry: SentEntry): void {
    if (this.#current === entry) this.#current = undefined;
    else this.#older.delete(entry);
  }

  /** What an older connection owes does not hold back the newest. */
  orphaned(entry: SentEntry, now: number, newest: boolean): void {
    this.ended(entry);
    if (newest) this.#lane.bury(now, true);
  }

  /** A connection that was renewed may talk on while it closes: what it says is not what its successor owes. */
  stray(_wire: WireId, newest: boolean, last: boolean): Stray {
    if (!last) return newest && this.#lane.owed ? "late" : "message";
    return newest && this.#lane.hear() ? "late" : "message";
  }

  /** Whoever is still in flight has its reply to come over the connection that was left. */
  clear(): void {
    if (this.#current) this.#older.add(this.#current);
    this.#current = undefined;
    this.#lane.clear();
  }

  expire(now: number): boolean {
    const { until } = this.#lane;
    return until !== undefined && until <= now && this.#lane.expire();
  }
}

/** How long a reply that is still owed may keep the lane closed, in milliseconds, before the connection is given up. */
export const TOMBSTONE_MS = 5_000;

/**
 * The tombstones of a protocol without ids. A request that ended without its reply leaves one: the next frame belongs to
 * the dead, and until it has come no other request is sent. So replies never shift by one. A message that was sent without waiting for a reply may be answered all the same;
 * it leaves a tombstone too, which only holds back requests, and is forgotten when nothing comes.
 */
export class Lane {
  #owed = false;
  #unasked = 0;
  #until: number | undefined;

  /** When {@link expire} is due; undefined if nothing is buried, or the time of a reply that is owed is over. */
  get until(): number | undefined {
    return this.#until;
  }

  /** Whether a reply is still to come of a request that has ended. */
  get owed(): boolean {
    return this.#owed;
  }

  /** Whether a message may be written now. */
  takes(expectsReply: boolean): boolean {
    return !this.#owed && (!expectsReply || this.#unasked === 0);
  }

  /** `owed` is false for a message that was sent without waiting for a reply. */
  bury(now: number, owed: boolean): void {
    if (owed) this.#owed = true;
    else this.#unasked++;
    this.#until = now + TOMBSTONE_MS;
  }

  /** A frame came that no request waits for. True when it is the late reply of one that had ended. */
  hear(): boolean {
    const late = this.#owed;
    if (late) this.#owed = false;
    else if (this.#unasked > 0) this.#unasked--;
    if (!this.#owed && this.#unasked === 0) this.#until = undefined;
    return late;
  }

  /** The connection that owed something is gone. */
  clear(): void {
    this.#owed = false;
    this.#unasked = 0;
    this.#until = undefined;
  }

  /** The time is over. True when a reply is still owed, so that only a new connection is safe. */
  expire(): boolean {
    const owed = this.#owed;
    this.clear();
    this.#owed = owed;
    return owed;
  }
}
