/** The counts of an upstream, together with those of the instances that callers have opened of it. */

import { addTally, clusterCountsOf, countersOf, lossesOf, tallyCells, tallyIn } from "../../core/tally.ts";
import { BoundedCounts } from "../../core/util/bounded-counts.ts";
import type { UpstreamDetails } from "../contract.ts";
import { CallStats } from "./call-stats.ts";

export class UpstreamCounts {
  /** The tally that its thread writes. */
  readonly cells = tallyCells();
  /** The calls of the host's callers, as they ended. */
  readonly calls: CallStats;
  readonly #of: UpstreamCounts | undefined;
  readonly #instances = new Set<UpstreamCounts>();
  /** The counts of instances that are gone. */
  readonly #past = tallyCells();
  readonly #disconnects = new BoundedCounts();
  readonly #failedAttempts = new BoundedCounts();

  /** @param of those of the upstream that this one is an instance of */
  constructor(of?: UpstreamCounts) {
    this.#of = of;
    this.calls = of?.calls ?? new CallStats();
    if (of) of.#instances.add(this);
  }

  /** Counts the end of a connection, or of an attempt that led to no open one. */
  connectionEnded(wasOpen: boolean, code: string): void {
    (wasOpen ? this.#disconnects : this.#failedAttempts).add(code);
    this.#of?.connectionEnded(wasOpen, code);
  }

  /** The instance is gone, and nothing counts any more: what it has counted stays with its upstream. */
  leave(): void {
    const of = this.#of;
    if (!of) return;
    if (of.#instances.delete(this)) addTally(of.#past, this.cells);
  }

  get all(): Pick<UpstreamDetails, "counters" | "ends" | "losses" | "shared"> {
    const sum = this.cells.slice();
    addTally(sum, this.#past);
    for (const { cells } of this.#instances) addTally(sum, cells);
    const tally = tallyIn(sum);
    return {
      counters: countersOf(tally),
      losses: lossesOf(tally),
      shared: clusterCountsOf(tally),
      ends: { disconnects: this.#disconnects.all, failedAttempts: this.#failedAttempts.all },
    };
  }
}
