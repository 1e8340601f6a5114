/** The correlation of protocols whose replies do not name their request: a lane, with one request in it at a time. */
import type { WireId } from "../../protocols/protocol.ts";
import type { Correlation, Stray } from "./correlation.ts";
import type { SentEntry } from "./request-table.ts";

export class CorrelateByOrder implements Correlation {
  /** The request table needs an id for each entry, though none is ever on the wire. */
  readonly capacity = Number.MAX_SAFE_INTEGER;
  readonly #lane = new Lane();
  #current: SentEntry | undefined;
  /** Requests in flight on connections that were superseded. */
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

  /** The request in flight on this connection, whatever id the frame seems to have. */
  find(connection: number): SentEntry | undefined {
    if (this.#current?.phase.connection === connection) return this.#current;
    for (const entry of this.#older) if (entry.phase.connection === connection) return entry;
    return undefined;
  }

  ended(entry: SentEntry): void {
    if (this.#current === entry) this.#current = undefined;
    else this.#older.delete(entry);
  }

  /** A reply that an older connection owes does not hold back the newest. */
  orphaned(entry: SentEntry, now: number, newest: boolean): void {
    this.ended(entry);
    if (newest) this.#lane.bury(now, true);
  }

  /** A superseded connection may deliver frames while it closes: they are not what its successor owes. */
  stray(_wire: WireId, newest: boolean, last: boolean): Stray {
    if (!last) return newest && this.#lane.owed ? "late" : "message";
    return newest && this.#lane.onFrame() ? "late" : "message";
  }

  /** A request that is still in flight gets its reply over the connection that was superseded. */
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

/** How long tombstones may hold the lane, in milliseconds. A reply still owed by then costs the connection. */
export const TOMBSTONE_MS = 5_000;

/**
 * The tombstones of a protocol without ids. A request that ends without its reply leaves one: the next frame belongs to
 * it, and until that frame has come no other request is sent, so that replies never shift by one. A send expects no
 * reply but may get one: it leaves a tombstone too, which only holds back requests, and lapses if no frame comes.
 */
export class Lane {
  #owed = false;
  /** Tombstones of sends. */
  #sends = 0;
  #until: number | undefined;

  /** When {@link expire} is due; undefined if nothing is buried, or the reply that is owed is overdue. */
  get until(): number | undefined {
    return this.#until;
  }

  /** True if the reply to a request that has ended is still to come. */
  get owed(): boolean {
    return this.#owed;
  }

  /** True if a message may be written now. */
  takes(expectsReply: boolean): boolean {
    return !this.#owed && (!expectsReply || this.#sends === 0);
  }

  /** Leaves a tombstone. `owed`: of a request, which expected a reply; false: of a send. */
  bury(now: number, owed: boolean): void {
    if (owed) this.#owed = true;
    else this.#sends++;
    this.#until = now + TOMBSTONE_MS;
  }

  /** Takes a frame that no request waits for. @returns true if it is the late reply to a request that has ended */
  onFrame(): boolean {
    const late = this.#owed;
    if (late) this.#owed = false;
    else if (this.#sends > 0) this.#sends--;
    if (!this.#owed && this.#sends === 0) this.#until = undefined;
    return late;
  }

  /** Removes all tombstones: the connection that they belong to is lost or superseded. */
  clear(): void {
    this.#owed = false;
    this.#sends = 0;
    this.#until = undefined;
  }

  /** Lets tombstones of sends lapse. @returns true if a reply is still owed, so that only a new connection is safe */
  expire(): boolean {
    const owed = this.#owed;
    this.clear();
    this.#owed = owed;
    return owed;
  }
}
