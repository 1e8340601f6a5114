import type { WireId } from "../protocols/protocol.ts";
import type { Correlation, Stray } from "./correlation.ts";
import type { Entry, Pending } from "./pending.ts";
import { WireIds } from "./wire-ids.ts";

/** Replies name their request, so any number may be in flight. */
export class ById implements Correlation {
  readonly #pending: Pending;
  readonly #ids: WireIds;

  constructor(pending: Pending, maxId: WireId) {
    this.#pending = pending;
    this.#ids = new WireIds(maxId);
  }

  get capacity(): number {
    return this.#ids.capacity;
  }

  draw(): WireId {
    return this.#ids.draw((id) => this.#pending.has(id));
  }

  takes(): boolean {
    return true;
  }

  handedOver(): void {}

  find(epoch: number, wire: WireId): Entry | undefined {
    return this.#pending.match(epoch, wire);
  }

  ended(): void {}

  orphaned(entry: Entry): void {
    this.#ids.bury(entry.wire);
  }

  stray(wire: WireId): Stray {
    return this.#ids.exhume(wire) ? "late" : "unclaimed";
  }

  clear(): void {}
}
