import type { Failed, Outcome, Replied } from "../outcome.ts";

interface OpenBatch {
  readonly items: (Replied | Failed | undefined)[];
  left: number;
}

/** Gathers how the items of a batch end, until all have; in the caller's order, whatever the order of their replies. */
export class OpenBatches {
  readonly #open = new Map<number, OpenBatch>();

  open(seq: number, items: number): void {
    this.#open.set(seq, { items: new Array(items).fill(undefined), left: items });
  }

  forget(seq: number): void {
    this.#open.delete(seq);
  }

  /** How the whole request ends: at once for one that is no batch, with the last item of a batch, else undefined. */
  settle(seq: number, index: number, outcome: Outcome): Outcome | undefined {
    const batch = this.#open.get(seq);
    if (!batch) return outcome;
    if (outcome.type === "reply" || outcome.type === "failed") batch.items[index] = outcome;
    if (--batch.left > 0) return undefined;
    this.#open.delete(seq);
    const items = batch.items.filter((item) => item !== undefined);
    return items.length === 0 ? { type: "done" } : { type: "batch", items, done: batch.items.length - items.length };
  }
}
