import type { CallerOutcome, Outcome } from "../../core/outcome.ts";
import type { Failure } from "../../errors.ts";

/** The thread remembers no more than this of requests that ended early; nor need we. */
const WAITING_MAX = 10_000;

/** Requests whose callers were told that no reply came in time, and whose reply may come still. */
export class LateReplies {
  readonly #waiting = new Map<number, (outcome: Outcome) => void>();

  /** What the caller gets: how it ended, and `later`, where that was not its last word. */
  outcomeFor(seq: number, outcome: Outcome): CallerOutcome {
    if (!isOpen(outcome)) return outcome;
    const later = new Promise<Outcome>((resolve) => this.#waiting.set(seq, resolve));
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size > WAITING_MAX && oldest !== undefined) this.#waiting.delete(oldest);
    return { ...outcome, later };
  }

  /** How it ended after all. That its time is over is no news: the thread was late to say it. */
  settle(seq: number, outcome: Outcome): void {
    if (isOpen(outcome)) return;
    this.#waiting.get(seq)?.(outcome);
    this.#waiting.delete(seq);
  }

  failAll(failure: Failure): void {
    for (const seq of [...this.#waiting.keys()]) this.settle(seq, { type: "failed", failure });
  }
}

function isOpen(outcome: Outcome): outcome is Outcome & { type: "failed" } {
  return outcome.type === "failed" && outcome.failure.code === "reply_timeout" && outcome.failure.sent !== "no";
}
