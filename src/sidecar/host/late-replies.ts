/** The late outcomes of requests whose callers received a timeout. */

import { type CallerOutcome, LATE_MAX, type Outcome } from "../../core/outcome.ts";
import { TransientMap } from "../../core/util/transient.ts";
import type { Failure } from "../../errors.ts";

export class LateReplies {
  readonly #waiting = new TransientMap<number, (outcome: Outcome) => void>();

  /** @returns the outcome for the caller, with `later` if a late reply may still follow */
  outcomeFor(seq: number, outcome: Outcome): CallerOutcome {
    if (!mayFollow(outcome)) return outcome;
    const later = new Promise<Outcome>((resolve) => this.#waiting.set(seq, resolve));
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size > LATE_MAX && oldest !== undefined) this.#waiting.delete(oldest);
    return { ...outcome, later };
  }

  /** Resolves `later`. A second timeout is ignored: the thread merely reported it after the host had. */
  settle(seq: number, outcome: Outcome): void {
    if (mayFollow(outcome)) return;
    this.#waiting.get(seq)?.(outcome);
    this.#waiting.delete(seq);
  }

  failAll(failure: Failure): void {
    for (const seq of [...this.#waiting.keys()]) this.settle(seq, { type: "failed", failure });
  }
}

function mayFollow(outcome: Outcome): outcome is Outcome & { type: "failed" } {
  if (outcome.type !== "failed" || outcome.failure.final) return false;
  return outcome.failure.code === "reply_timeout" && outcome.failure.sent !== "no";
}
