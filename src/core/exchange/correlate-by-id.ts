import type { Protocol, WireId } from "../../protocols/protocol.ts";
import type { Correlation, Stray } from "./correlation.ts";
import type { Entry, Pending } from "./request-table.ts";
import { WireIds } from "./wire-ids.ts";

/** Replies name their request, so any number may be in flight. */
export class ById implements Correlation {
  readonly #pending: Pending;
  readonly #ids: WireIds;
  readonly #callers: boolean;

  constructor(pending: Pending, { maxId, ids }: Pick<Protocol, "maxId" | "ids">) {
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

  find(epoch: number, wire: WireId): Entry | undefined {
    return this.#pending.match(epoch, wire);
  }

  ended(): void {}

  /** What an older connection owes comes over that one, where a caller's own id is not that of the newest. */
  orphaned(entry: Entry, _now: number, newest: boolean): void {
    if (newest || !this.#callers) this.#ids.bury(entry.wire);
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
}
