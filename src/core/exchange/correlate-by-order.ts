/** The correlation of protocols whose replies do not name their request: a lane, with one request in it at a time. */
import type { Protocol, WireId } from "../../protocols/protocol.ts";
import { TransientSet } from "../util/transient.ts";
import type { Correlation, Stray } from "./correlation.ts";
import type { SentEntry, SentPhase } from "./request-table.ts";

/** The id of every reply. It has no meaning, since none is on the wire. */
const LANE_ID = 0;

export class CorrelateByOrder implements Correlation {
  /** The request table needs an id for each entry, though none is ever on the wire. */
  readonly capacity = Number.MAX_SAFE_INTEGER;
  readonly #lane = new Lane();
  /** How long to wait after a reply before the next request, in milliseconds. */
  #quietMs: number;
  #current: SentEntry | undefined;
  /** Requests in flight on connections that were superseded. */
  readonly #older = new TransientSet<SentEntry>();
  #last = 0;
  /** The request whose reply the newest connection owes, once it has ended without it. */
  #owed: SentPhase | undefined;
  /** Until when no request goes out, so that a frame too many shows itself. */
  #quietUntil: number | undefined;
  /** True once a request went out on the newest connection: before it, frames owe nobody anything. */
  #used = false;
  /** True once a reply came over the newest connection that no request waited for. */
  #untrusted = false;

  constructor({ takesEveryFrame = false }: Pick<Protocol, "takesEveryFrame">) {
    this.#quietMs = takesEveryFrame ? QUIET_MS : 0;
  }

  get nextDeadline(): number | undefined {
    const { until } = this.#lane;
    if (until === undefined || this.#quietUntil === undefined) return until ?? this.#quietUntil;
    return Math.min(until, this.#quietUntil);
  }

  get needsRenewal(): boolean {
    return this.#untrusted && this.#current === undefined;
  }

  draw(): number {
    return ++this.#last;
  }

  isTaken(): boolean {
    return false;
  }

  takes(expectsReply: boolean, unanswered: boolean): boolean {
    if (unanswered) return true;
    if (this.#current !== undefined || !this.#lane.takes(expectsReply)) return false;
    return !expectsReply || (!this.#untrusted && this.#quietUntil === undefined);
  }

  handedOver(entry: SentEntry, now: number): void {
    if (!entry.expectsReply) {
      if (!entry.unanswered) this.#lane.bury(now, false);
      return;
    }
    this.#current = entry;
    this.#used = true;
  }

  /** Frames name no request, and so they have no other name for one. */
  learn(): void {}

  cancelOnceNamed(): void {}

  takeUncancelled(): boolean {
    return false;
  }

  /** The request whose reply is due on this connection, even if its caller does not wait any more. */
  named(connection: number): WireId | undefined {
    const due = this.find(connection)?.phase ?? this.owed();
    return due?.connection === connection ? LANE_ID : undefined;
  }

  owesNext(connection: number): boolean {
    return this.named(connection) !== undefined;
  }

  aliasOf(): undefined {}

  /** The request in flight on this connection, whatever id the frame seems to have. */
  find(connection: number): SentEntry | undefined {
    if (this.#current?.phase.connection === connection) return this.#current;
    for (const entry of this.#older) if (entry.phase.connection === connection) return entry;
    return undefined;
  }

  ended(entry: SentEntry, repliedAt?: number): void {
    if (this.#current !== entry) {
      this.#older.delete(entry);
      return;
    }
    this.#current = undefined;
    if (repliedAt !== undefined) this.#quieten(repliedAt);
  }

  /** A reply that an older connection owes does not hold back the newest. */
  orphaned(entry: SentEntry, now: number, newest: boolean): void {
    this.ended(entry);
    if (!newest) return;
    this.#lane.bury(now, true);
    this.#owed = entry.phase;
  }

  owed(): SentPhase | undefined {
    return this.#lane.owed ? this.#owed : undefined;
  }

  /**
   * A superseded connection may deliver frames while it closes: they are not what its successor owes. A reply too many
   * shows that frames and requests no longer match: an earlier one may have been another request's.
   */
  stray(_wire: WireId, newest: boolean, last: boolean, now: number): Stray {
    if (!newest) return "message";
    const { owed, awaitsFrame } = this.#lane;
    if (awaitsFrame) {
      if (last) this.#lane.onFrame();
      if (last && owed) this.#quieten(now);
      return owed ? "late" : "message";
    }
    if (!this.#used) return "message";
    this.#untrusted = true;
    if (this.#quietMs > 0) this.#quietMs = WARY_MS;
    return "unclaimed";
  }

  /** A request that is still in flight gets its reply over the connection that was superseded. */
  clear(): void {
    if (this.#current) this.#older.add(this.#current);
    this.#current = undefined;
    this.#lane.clear();
    this.#quietUntil = undefined;
    this.#used = false;
    this.#untrusted = false;
  }

  #quieten(now: number): void {
    if (this.#quietMs > 0) this.#quietUntil = now + this.#quietMs;
  }

  expire(now: number): boolean {
    if (this.#quietUntil !== undefined && this.#quietUntil <= now) this.#quietUntil = undefined;
    const { until } = this.#lane;
    return until !== undefined && until <= now && this.#lane.expire();
  }
}

/**
 * How long the next request waits after a reply where every frame counts as one, in milliseconds. The frames of one
 * reply are less apart, so that the second finds nobody waiting, instead of the next request.
 */
export const QUIET_MS = 5;
/** As QUIET_MS, once a frame too many has come: this upstream sends them, and certainty is worth more than speed. */
const WARY_MS = 100;

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

  /** True if a frame is still to come, or may come, for a request or a send that has ended. */
  get awaitsFrame(): boolean {
    return this.#owed || this.#sends > 0;
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
