/** The pending inspections of an upstream, by their number. */

import type { UpstreamDetails } from "../contract.ts";

export class Inspections {
  readonly #pending = new Map<number, (details: UpstreamDetails) => void>();

  /** @returns the details that `receive` is given, or undefined if that takes longer than `withinMs` */
  add(seq: number, withinMs: number): Promise<UpstreamDetails | undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#pending.delete(seq);
        resolve(undefined);
      }, withinMs);
      this.#pending.set(seq, (details) => {
        clearTimeout(timer);
        resolve(details);
      });
    });
  }

  receive(seq: number, details: UpstreamDetails): void {
    this.#pending.get(seq)?.(details);
    this.#pending.delete(seq);
  }
}
