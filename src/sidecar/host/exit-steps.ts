/** The steps of an exit that wait for the thread of one upstream. */

import { deferred } from "../../core/util/deferred.ts";
import type { CloseCounts, FromThread } from "../contract.ts";

export type Cancelled = Pick<Extract<FromThread, { type: "cancelled" }>, "counts" | "discarded">;

/** Each step is resolved by the thread's report, or by `skip`. The caller of the exit bounds the waiting. */
export class ExitSteps {
  readonly drained = deferred<void>();
  readonly closed = deferred<CloseCounts>();
  readonly cancelled = deferred<Cancelled>();

  /** Resolves every step, because there is no upstream on a thread, not yet or no longer, to wait for. */
  skip(): void {
    this.drained.resolve();
    this.closed.resolve({ code: null, by: null, forced: false });
    this.cancelled.resolve({ counts: { no: 0, maybe: 0, yes: 0 }, discarded: 0 });
  }
}
