/** The parts of a sidecar that the library itself needs, and its user does not. */

import type { StopSignal } from "../http/stop-signal.ts";
import type { Sidecars } from "../sidecar/host/sidecars.ts";
import type { UpstreamClient } from "../sidecar/host/upstream-client.ts";
import type { ThreadHold } from "./thread-hold.ts";

/** The progress of the exit, for an app in front of the sidecar. */
export interface AppFront {
  refusing: boolean;
  /** True once an app serves the sidecar from its thread. */
  serving: boolean;
  readonly stopping: StopSignal;
}

export interface Inner {
  readonly sidecars: Sidecars;
  readonly client: UpstreamClient;
  readonly front: AppFront;
  readonly hold: ThreadHold;
}

/** By the sidecars themselves, so that none of it is among their members. */
export const innerOf = new WeakMap<object, Inner>();
