/** Signal from which on nobody waits for anything but a reply. */

import { SlotTable } from "../core/util/slot-table.ts";

/**
 * Not an AbortSignal, because every request listens: in Node a removed listener still points to the one added after it,
 * so a removed listener that was promoted to the old generation keeps all later ones alive.
 */
export class StopSignal {
  readonly #listeners = new SlotTable<() => void>();
  #come = false;

  get come(): boolean {
    return this.#come;
  }

  /** @returns the listener's number, for `off` */
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
