/** The outcomes of a batch, collected in the order of its items until all of them have ended. */
import type { Failed, Outcome, Replied } from "../outcome.ts";
import { Budget } from "../util/budget.ts";
import { flat } from "../util/flat.ts";
import * as failures from "./failures.ts";

export class OpenBatch {
  readonly #budget: Budget;
  readonly #items: (Replied | Failed | undefined)[];
  #left: number;
  /** The bytes of the replies so far. */
  #bytes = 0;

  /** @param items how many messages the batch has, at least one */
  constructor(items: number, budget = Budget.alone()) {
    this.#items = new Array(items).fill(undefined);
    this.#left = items;
    this.#budget = budget;
  }

  /** @returns the outcome of the whole batch with its last item, undefined before; its bytes go with it */
  settle(index: number, outcome: Outcome): Outcome | undefined {
    if (outcome.type === "reply") this.#items[index] = this.#kept(outcome);
    else if (outcome.type === "failed") this.#items[index] = outcome;
    if (--this.#left > 0) return undefined;
    const items = this.#items.filter((item) => item !== undefined);
    return items.length === 0 ? { type: "done" } : { type: "batch", items, done: this.#items.length - items.length };
  }

  /** Nobody wants the outcome any more. */
  abandon(): void {
    this.#budget.give("answers", this.#bytes);
    this.#bytes = 0;
  }

  #kept(reply: Replied): Replied | Failed {
    const bytes = reply.body.length;
    if (!this.#budget.allows("answers", bytes)) return { type: "failed", failure: failures.noRoomFor(this.#budget) };
    this.#budget.take("answers", bytes);
    this.#bytes += bytes;
    // Of a frame with many replies each would be a slice, and keep the others alive.
    return typeof reply.body === "string" ? { ...reply, body: flat(reply.body) } : reply;
  }
}
