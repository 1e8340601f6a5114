import type { CallerOutcome } from "../../core/outcome.ts";
import { SlotTable } from "../../core/util/slot-table.ts";
import { Alarm } from "../alarm.ts";

/** Who waits for an answer of the thread, under which number, and until when. */

export interface Waiter {
  /** When it is told, without the thread, that no answer came; in milliseconds of the host's clock. */
  readonly until: number;
  settle(answer: CallerOutcome): void;
}

export class Waiters {
  readonly #slots = new SlotTable<Waiter>();
  readonly #onLate: (seq: number) => void;
  /** Rings for the earliest there was, which has nearly always ended by then: looking for the next one is rare. */
  readonly #alarm = new Alarm(
    () => performance.now(),
    () => this.#look(),
  );

  /** `onLate` must take whoever it is told of. */
  constructor(onLate: (seq: number) => void) {
    this.#onLate = onLate;
  }

  get size(): number {
    return this.#slots.size;
  }

  /** A number for `add`, or for anything else that the thread is to answer. */
  draw(): number {
    return this.#slots.draw();
  }

  add(seq: number, waiter: Waiter): void {
    this.#slots.put(seq, waiter);
    this.#alarm.set(waiter.until);
  }

  take(seq: number): Waiter | undefined {
    return this.#slots.take(seq);
  }

  /** Nobody is told any more that no answer came. */
  quieten(): void {
    this.#alarm.clear();
  }

  /** Takes everybody. */
  *takeAll(): Generator<[number, Waiter], void> {
    for (const one of [...this.#slots]) if (this.#slots.take(one[0])) yield one;
  }

  #look(): void {
    const now = performance.now();
    let next = Number.POSITIVE_INFINITY;
    for (const [seq, { until }] of [...this.#slots]) {
      if (until <= now) this.#onLate(seq);
      else next = Math.min(next, until);
    }
    if (next < Number.POSITIVE_INFINITY) this.#alarm.set(next);
  }
}
