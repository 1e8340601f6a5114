/** The entries of an upstream's log, from which every replica makes the same journals. */
import type { Body } from "../../protocols/protocol.ts";
import type { GapDetails, MessageKind } from "../messages/journal.ts";

/** The place of a journal: its entries are numbered from 1, and a name that is used again has another epoch. */
export interface JournalPlace {
  readonly name: string;
  readonly epoch: string;
  /** The number of its next entry. */
  readonly next: number;
}

export type LogItem =
  | {
      readonly journal: string;
      readonly at: number;
      readonly kind: MessageKind;
      readonly data: Body;
      /** By which its writer knows it again, if it must. */
      readonly tag?: number;
    }
  | { readonly journal: string; readonly at: number; readonly gap: GapDetails };

/** The beginning of a term: in between, nobody heard the upstream. Wall-clock times in milliseconds. */
export interface LogLife {
  readonly from: number;
  readonly at: number;
  readonly why: string;
  /**
   * The least number of the gap that begins the term. The store may have lost entries that readers have seen, and
   * everybody who knew them be gone: no other entry may get their numbers.
   */
  readonly first: number;
}

export interface LogBatch {
  /** The writer's term: batches of a term that is older than the newest in front of them do not count. */
  readonly term: number;
  /** The epoch of the log; another one begins everything anew. */
  readonly epoch: string;
  /** Only in the first batch of a term; if that begins the epoch, it has the place of the main journal. */
  readonly life?: LogLife | undefined;
  /** The places before the items: of their journals at least, from time to time of all. */
  readonly journals: readonly JournalPlace[];
  readonly items: readonly LogItem[];
  /** Journals that end behind the items. */
  readonly closed: readonly string[];
}
