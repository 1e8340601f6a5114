/** The confirmations of one upstream's thread that the exit's steps wait for. */

import { deferred } from "../../core/util/deferred.ts";
import type { CloseCounts, FromThread } from "../contract.ts";

export type Cancelled = Pick<Extract<FromThread, { type: "cancelled" }>, "counts" | "discarded">;

/** Each one is resolved by the thread's report, or by `skip`. The caller of the exit bounds the waiting. */
export class ThreadConfirmations {
  readonly drained = deferred<void>();
  readonly closed = deferred<CloseCounts>();
  readonly cancelled = deferred<Cancelled>();

  /** Resolves all of them, because there is no upstream on a thread, not yet or no longer, to wait for. */
  skip(): void {
    this.drained.resolve();
    this.closed.resolve({ code: null, by: null, forced: false });
    this.cancelled.resolve({ counts: { no: 0, maybe: 0, yes: 0 }, discarded: 0 });
  }
}
