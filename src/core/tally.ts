/** The counts of an upstream, in memory that its thread and the host share. */

import type { GapReason, JournalLosses } from "./messages/journal.ts";
import { type Counters, zeroCounters } from "./outcome.ts";

const GAP_REASONS: Readonly<Record<GapReason, true>> = {
  overflow: true,
  away: true,
  crashed: true,
  expired: true,
  refused: true,
};

/** The losses of journals: messages that were evicted, that readers missed, and the gaps that they got by reason. */
export type Losses = Record<"evicted" | "missed" | GapReason, number>;

/** The part of a replica in its cluster. */
export interface ClusterCounts {
  /** Requests that were passed on to the owner of the upstream, or to the replica that keeps their reply. */
  forwarded: number;
  /** Terms of ownership that this replica began. */
  takeovers: number;
  /** Writes that did not go out, because another replica might own the upstream. */
  fenced: number;
  /** Places where entries of the log were missing, so that its journals have a gap. */
  holes: number;
}

const CLUSTER_COUNTS: Readonly<Record<keyof ClusterCounts, true>> = {
  forwarded: true,
  takeovers: true,
  fenced: true,
  holes: true,
};

/** Numbers that only grow. */
export type Tally = Counters & Losses & ClusterCounts;

const COUNTERS = Object.keys(zeroCounters) as readonly (keyof Counters)[];
const REASONS = Object.keys(GAP_REASONS) as readonly GapReason[];
const OF_CLUSTER = Object.keys(CLUSTER_COUNTS) as readonly (keyof ClusterCounts)[];
const NAMES: readonly (keyof Tally)[] = [...COUNTERS, "evicted", "missed", ...REASONS, ...OF_CLUSTER];

/**
 * Memory for one tally. The upstream's thread alone writes it, so nothing is atomic; the host may read it at any time,
 * and a thread that dies takes nothing with it: the next one counts on.
 */
export function tallyCells(): Float64Array {
  return new Float64Array(new SharedArrayBuffer(NAMES.length * Float64Array.BYTES_PER_ELEMENT));
}

/** The tally in these cells: what is assigned to it stands there. */
export function tallyIn(cells: Float64Array): Tally {
  const properties = NAMES.map((name, index) => {
    const set = (value: number) => {
      cells[index] = value;
    };
    return [name, { enumerable: true, get: () => cells[index], set }] as const;
  });
  return Object.defineProperties({}, Object.fromEntries(properties)) as Tally;
}

/** Adds each count of one tally to another. */
export function addTally(sum: Float64Array, cells: Float64Array): void {
  for (let index = 0; index < NAMES.length; index++) sum[index] = (sum[index] ?? 0) + (cells[index] ?? 0);
}

export function countersOf(tally: Tally): Counters {
  return Object.fromEntries(COUNTERS.map((name) => [name, tally[name]])) as Record<keyof Counters, number>;
}

export function clusterCountsOf({ forwarded, takeovers, fenced, holes }: Tally): ClusterCounts {
  return { forwarded, takeovers, fenced, holes };
}

/** A gap that no reader got has no number. */
export function lossesOf(tally: Tally): JournalLosses {
  const gaps = REASONS.filter((reason) => tally[reason] > 0).map((reason) => [reason, tally[reason]] as const);
  return { evicted: tally.evicted, missed: tally.missed, gaps: Object.fromEntries(gaps) };
}
