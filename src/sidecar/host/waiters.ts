/** The callers that wait for an outcome, by the number of their request: they hold the program, and only they do. */

import type { CallerOutcome } from "../../core/outcome.ts";
import { SlotTable } from "../../core/util/slot-table.ts";
import { Alarm } from "../alarm.ts";

export interface Waiter {
  /** The time after which the host stops waiting for the thread, in milliseconds of the host's clock. */
  readonly until: number;
  settle(outcome: CallerOutcome): void;
}

export class Waiters {
  readonly #slots = new SlotTable<Waiter>();
  readonly #onOverdue: (seq: number) => void;
  /** Set for the earliest waiter, which has nearly always ended by then, so that a search for the next one is rare. */
  readonly #alarm = new Alarm(
    () => performance.now(),
    () => this.#reportOverdue(),
  );

  /** @param onOverdue must take the waiter */
  constructor(onOverdue: (seq: number) => void) {
    this.#onOverdue = onOverdue;
  }

  get size(): number {
    return this.#slots.size;
  }

  /** Draws a number for `add`, or for any other message that expects a reply of the thread. */
  draw(): number {
    return this.#slots.draw();
  }

  add(seq: number, waiter: Waiter): void {
    this.#slots.put(seq, waiter);
    this.#alarm.set(waiter.until);
    if (this.size === 1) this.#alarm.ref();
  }

  take(seq: number): Waiter | undefined {
    const waiter = this.#slots.take(seq);
    if (this.size === 0) this.#alarm.unref();
    return waiter;
  }

  /** Stops the timer: no waiter is reported as overdue any more. */
  clearTimer(): void {
    this.#alarm.clear();
  }

  *takeAll(): Generator<[number, Waiter], void> {
    for (const one of [...this.#slots]) if (this.take(one[0])) yield one;
  }

  #reportOverdue(): void {
    const now = performance.now();
    let next = Number.POSITIVE_INFINITY;
    for (const [seq, { until }] of [...this.#slots]) {
      if (until <= now) this.#onOverdue(seq);
      else next = Math.min(next, until);
    }
    if (next < Number.POSITIVE_INFINITY) this.#alarm.set(next);
  }
}
