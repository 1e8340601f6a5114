/** Counts of the calls of one upstream, as their callers saw them end. */

import type { Outcome } from "../../core/outcome.ts";
import { Histogram } from "../../core/util/histogram.ts";
import type { ErrorCode, Failure, Sent } from "../../errors.ts";

interface FailureCount {
  readonly code: ErrorCode;
  readonly sent: Sent;
  readonly count: number;
}

/**
 * Covers what the host's callers requested, each item of a batch by itself. The thread counts all that it was handed,
 * with the requests of subscriptions and of blocking callers, but not by code: it cannot know how the host's own
 * refusals and the thread's own death end a call.
 */
export class CallStats {
  readonly #failures = new Map<string, { code: ErrorCode; sent: Sent; count: number }>();
  readonly #durations = new Map<ErrorCode, Histogram>();
  readonly #replied = new Histogram();

  /** Takes the end of a call that a caller made `ms` milliseconds ago. A streamed reply has no duration. */
  ended(outcome: Outcome, ms?: number): void {
    if (outcome.type === "reply") {
      if (ms !== undefined) this.#replied.observe(outcome.upstreamMs / 1_000);
    } else if (outcome.type === "failed") {
      this.failed(outcome.failure, ms);
    } else if (outcome.type === "batch") {
      for (const item of outcome.items) this.ended(item, ms);
    }
  }

  failed({ code, sent }: Failure, ms?: number): void {
    const key = `${code} ${sent}`;
    const known = this.#failures.get(key);
    if (known) known.count++;
    else this.#failures.set(key, { code, sent, count: 1 });
    // Without anything sent there was no call, only the wish for one.
    if (sent !== "no" && ms !== undefined) this.#durationOf(code).observe(ms / 1_000);
  }

  get failures(): readonly FailureCount[] {
    return [...this.#failures.values()];
  }

  /** The durations of calls by the code of their failure; undefined for replies. */
  get durations(): readonly (readonly [ErrorCode | undefined, Histogram])[] {
    return [[undefined, this.#replied], ...this.#durations];
  }

  #durationOf(code: ErrorCode): Histogram {
    const known = this.#durations.get(code) ?? new Histogram();
    this.#durations.set(code, known);
    return known;
  }
}
