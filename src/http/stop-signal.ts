import { SlotTable } from "../core/util/slot-table.ts";

/**
 * The moment from which nobody waits any more for anything but a reply. An AbortSignal would say it as well, but each
 * request listens for it: and in Node a listener that was taken off still points to the one that came after it, so that
 * those which have grown old on the heap keep all later ones alive.
 */
export class StopSignal {
  readonly #listeners = new SlotTable<() => void>();
  #come = false;

  get come(): boolean {
    return this.#come;
  }

  /** @returns its number, for `off` */
  on(listener: () => void): number {
    const number = this.#listeners.draw();
    this.#listeners.put(number, listener);
    return number;
  }

  off(number: number): void {
    this.#listeners.take(number);
  }

  now(): void {
    this.#come = true;
    for (const [number, listener] of [...this.#listeners]) if (this.#listeners.take(number)) listener();
  }
}
