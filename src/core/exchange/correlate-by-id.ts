/** The correlation of protocols whose replies name their request, so that any number may be in flight. */
import type { Protocol, WireId } from "../../protocols/protocol.ts";
import { TransientMap, TransientSet } from "../util/transient.ts";
import { Aliases } from "./aliases.ts";
import type { ConfiguredFrames } from "./configured-frames.ts";
import type { Correlation, Stray } from "./correlation.ts";
import type { RequestTable, SentEntry, SentPhase } from "./request-table.ts";

export class CorrelateById implements Correlation {
  /** Buried ids have no deadline: each is kept until its reply has come, or newer ones have displaced it. */
  readonly nextDeadline = undefined;
  readonly needsRenewal = false;
  readonly #table: RequestTable;
  readonly #configured: ConfiguredFrames;
  readonly #ids: WireIds;
  readonly #aliases = new Aliases();
  /** The buried ids whose cancellation waits for an alias. */
  readonly #uncancelled = new TransientSet<WireId>();
  /** True if callers' own ids are on the wire. */
  readonly #callers: boolean;

  constructor(table: RequestTable, configured: ConfiguredFrames, { maxId, ids }: Pick<Protocol, "maxId" | "ids">) {
    this.#table = table;
    this.#configured = configured;
    this.#ids = new WireIds(maxId, (id) => this.#forget(id));
    this.#callers = ids === "callers";
  }

  get capacity(): number {
    return this.#ids.capacity;
  }

  draw(): number {
    return this.#ids.draw((id) => this.#table.has(id) || this.#configured.has(id));
  }

  isTaken(wire: WireId): boolean {
    return this.#table.has(wire) || this.#ids.isBuried(wire);
  }

  takes(): boolean {
    return true;
  }

  handedOver(): void {}

  learn(connection: number, wire: WireId, alias: string): void {
    this.#aliases.learn(connection, wire, alias, (known) => this.#table.has(known));
  }

  /** An entry of an older connection may not be buried, while another one with the same id is. */
  cancelOnceNamed({ wire, phase }: SentEntry): void {
    if (wire !== undefined && this.#ids.phaseOf(wire) === phase) this.#uncancelled.add(wire);
  }

  takeUncancelled(wire: WireId): boolean {
    return this.#uncancelled.delete(wire);
  }

  #forget(wire: WireId): void {
    this.#aliases.forget(wire);
    this.#uncancelled.delete(wire);
  }

  named(connection: number, alias: string): WireId | undefined {
    return this.#aliases.find(connection, alias);
  }

  owesNext(): boolean {
    return false;
  }

  aliasOf(wire: WireId): string | undefined {
    return this.#aliases.of(wire);
  }

  find(connection: number, wire: WireId): SentEntry | undefined {
    return this.#table.match(connection, wire);
  }

  ended({ wire }: SentEntry): void {
    if (wire !== undefined) this.#aliases.forget(wire);
  }

  /** An older connection delivers what it owes over its own socket, where a caller's id means none on the newest. */
  orphaned({ wire, phase }: SentEntry, _now: number, newest: boolean): void {
    if (wire === undefined) return;
    if (newest || !this.#callers) this.#ids.bury(wire, phase);
    else this.#aliases.forget(wire);
  }

  owed(wire: WireId): SentPhase | undefined {
    return this.#ids.phaseOf(wire);
  }

  stray(wire: WireId, newest: boolean, last: boolean): Stray {
    if (this.#callers && !newest) return "unclaimed";
    const late = last ? this.#ids.exhume(wire) : this.#ids.isBuried(wire);
    return late ? "late" : "unclaimed";
  }

  /** Our ids stay buried: they are never reused, whatever the old connection still delivers. Callers reuse theirs. */
  clear(): void {
    if (this.#callers) this.#ids.forget();
  }

  expire(): boolean {
    return false;
  }
}

/** The bound on buried ids. Beyond it the oldest are forgotten. */
const BURIED_MAX = 10_000;

/**
 * Our ids on the wire: a counter that never repeats, except in protocols whose ids are bounded. There it starts over at
 * 1 and skips every id that is in flight or buried. An id is buried when its request ends without its reply, so that a
 * reply which still comes is known to be late.
 */
export class WireIds {
  /** How many ids may be in flight at once: half of all. The other half is for buried ones. */
  readonly capacity: number;
  readonly #maxId: number;
  readonly #buriedMax: number;
  readonly #buried = new TransientMap<WireId, SentPhase>();
  readonly #unearthed: (id: WireId) => void;
  #last = 0;

  /** @param unearthed called with each id that is buried no longer */
  constructor(maxId: number, unearthed: (id: WireId) => void = () => {}) {
    this.#unearthed = unearthed;
    const half = Math.floor(maxId / 2);
    this.#maxId = maxId;
    this.#buriedMax = Math.min(BURIED_MAX, half);
    this.capacity = maxId - half;
  }

  /** Draws a free id. There is none, and the loop would not end, once `capacity` ids are in flight. */
  draw(isInFlight: (id: number) => boolean): number {
    do this.#last = this.#last >= this.#maxId ? 1 : this.#last + 1;
    while (isInFlight(this.#last) || this.#buried.has(this.#last));
    return this.#last;
  }

  bury(id: WireId, phase: SentPhase): void {
    this.#buried.set(id, phase);
    const [oldest] = this.#buried.keys();
    if (this.#buried.size > this.#buriedMax && oldest !== undefined) this.exhume(oldest);
  }

  phaseOf(id: WireId): SentPhase | undefined {
    return this.#buried.get(id);
  }

  isBuried(id: WireId): boolean {
    return this.#buried.has(id);
  }

  forget(): void {
    for (const id of this.#buried.keys()) this.exhume(id);
  }

  /** Returns true, once, for a buried id. */
  exhume(id: WireId): boolean {
    if (!this.#buried.delete(id)) return false;
    this.#unearthed(id);
    return true;
  }
}
