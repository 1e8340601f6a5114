/** The queue of batches that wait for places in flight, the oldest first. */
import { TimerWheel } from "../util/timer-wheel.ts";
import type { NewRequest, OwnedRequest, Owner } from "./request-table.ts";

/** A batch whose items are taken in as places become free. Only {@link BatchQueue} changes it. */
export interface WaitingBatch {
  readonly request: OwnedRequest;
  readonly incoming: Pick<NewRequest, "kind" | "deadline">;
  readonly items: readonly string[];
  readonly arrivedAt: number;
  /** The index of its next item. */
  next: number;
  /** The size of what has not been taken yet. */
  bytes: number;
}

export interface WaitingItem {
  readonly batch: WaitingBatch;
  readonly index: number;
  readonly body: string;
}

/** Items wait as the texts that they came as, for a batch may have ten thousands of them. */
export class BatchQueue {
  readonly #batches = new Set<WaitingBatch>();
  readonly #wheel = new TimerWheel<WaitingBatch>();
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#batches.size === 0;
  }

  /** The size of all items that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** When `due` must be called; undefined if nothing waits. */
  get nextDeadline(): number | undefined {
    return this.#wheel.next();
  }

  add(batch: WaitingBatch): void {
    this.#batches.add(batch);
    this.#wheel.add(batch, batch.incoming.deadline);
    this.#bytes += batch.bytes;
  }

  /** Takes the next item of the oldest batch that may have another place. */
  take(mayHave: (batch: WaitingBatch) => boolean): WaitingItem | undefined {
    for (const batch of this.#batches) if (mayHave(batch)) return this.#takeOf(batch);
    return undefined;
  }

  /** Takes all items of a batch that are left. */
  *takeAll(batch: WaitingBatch): Generator<WaitingItem, void> {
    while (this.#batches.has(batch)) yield this.#takeOf(batch);
  }

  /** The batches whose deadline has passed. */
  due(now: number): readonly WaitingBatch[] {
    return this.#wheel.due(now);
  }

  all(): readonly WaitingBatch[] {
    return [...this.#batches];
  }

  /** Drops the owner's batches, or only the one with this number. @returns how many items are dropped with them */
  drop(owner: Owner, seq?: number): number {
    let items = 0;
    for (const batch of this.#batches) {
      const { request } = batch;
      if (request.owner !== owner || (seq !== undefined && request.seq !== seq)) continue;
      items += batch.items.length - batch.next;
      request.batch?.abandon();
      this.#remove(batch);
    }
    return items;
  }

  #takeOf(batch: WaitingBatch): WaitingItem {
    const index = batch.next++;
    const body = batch.items[index] as string;
    batch.bytes -= body.length;
    this.#bytes -= body.length;
    if (batch.next === batch.items.length) this.#remove(batch);
    return { batch, index, body };
  }

  #remove(batch: WaitingBatch): void {
    this.#batches.delete(batch);
    this.#wheel.remove(batch, batch.incoming.deadline);
    this.#bytes -= batch.bytes;
  }
}
