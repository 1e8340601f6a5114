import type { Protocol, WireId } from "../../protocols/protocol.ts";
import type { Correlation, Stray } from "./correlation.ts";
import type { RequestTable, SentEntry } from "./request-table.ts";

/** Replies name their request, so any number may be in flight. */
export class CorrelateById implements Correlation {
  /** An id stays taken until its reply has come or enough others have been buried; no deadline frees it. */
  readonly nextDeadline = undefined;
  readonly #pending: RequestTable;
  readonly #ids: WireIds;
  readonly #callers: boolean;

  constructor(pending: RequestTable, { maxId, ids }: Pick<Protocol, "maxId" | "ids">) {
    this.#pending = pending;
    this.#ids = new WireIds(maxId);
    this.#callers = ids === "callers";
  }

  get capacity(): number {
    return this.#ids.capacity;
  }

  draw(): number {
    return this.#ids.draw((id) => this.#pending.has(id));
  }

  isTaken(wire: WireId): boolean {
    return this.#pending.has(wire) || this.#ids.isBuried(wire);
  }

  takes(): boolean {
    return true;
  }

  handedOver(): void {}

  find(connection: number, wire: WireId): SentEntry | undefined {
    return this.#pending.match(connection, wire);
  }

  ended(): void {}

  /** What an older connection owes comes over that one, where a caller's own id is not that of the newest. */
  orphaned({ wire }: SentEntry, _now: number, newest: boolean): void {
    if (wire !== undefined && (newest || !this.#callers)) this.#ids.bury(wire);
  }

  stray(wire: WireId, newest: boolean, last: boolean): Stray {
    if (this.#callers && !newest) return "unclaimed";
    const late = last ? this.#ids.exhume(wire) : this.#ids.isBuried(wire);
    return late ? "late" : "unclaimed";
  }

  /** Ours are never used again, whatever still comes over the old connection. Callers use theirs when they like. */
  clear(): void {
    if (this.#callers) this.#ids.forget();
  }

  expire(): boolean {
    return false;
  }
}

/** More ids of requests that ended early are not remembered: the oldest are forgotten first. */
const BURIED_MAX = 10_000;

/**
 * Our ids on the wire: a counter, which never comes back but in dialects whose ids end; there it begins anew, past every
 * id that is in flight or remembered. Those of requests that ended without their reply are remembered, so that a reply
 * that still comes is known as late.
 */
export class WireIds {
  /** How many may be in flight at once: half of what there is. The other half is for those that are remembered. */
  readonly capacity: number;
  readonly #maxId: number;
  readonly #buriedMax: number;
  readonly #buried = new Set<WireId>();
  #last = 0;

  constructor(maxId: number) {
    const half = Math.floor(maxId / 2);
    this.#maxId = maxId;
    this.#buriedMax = Math.min(BURIED_MAX, half);
    this.capacity = maxId - half;
  }

  /** There is a free one for as long as fewer than `capacity` are in flight. */
  draw(isInFlight: (id: number) => boolean): number {
    do this.#last = this.#last >= this.#maxId ? 1 : this.#last + 1;
    while (isInFlight(this.#last) || this.#buried.has(this.#last));
    return this.#last;
  }

  bury(id: WireId): void {
    this.#buried.add(id);
    const [oldest] = this.#buried;
    if (this.#buried.size > this.#buriedMax && oldest !== undefined) this.#buried.delete(oldest);
  }

  isBuried(id: WireId): boolean {
    return this.#buried.has(id);
  }

  forget(): void {
    this.#buried.clear();
  }

  /** True, once, when this is the id of a request that ended without its reply. */
  exhume(id: WireId): boolean {
    return this.#buried.delete(id);
  }
}
