import type { WireId } from "../../protocols/protocol.ts";

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
