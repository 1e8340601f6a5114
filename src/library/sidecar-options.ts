/** The options of a sidecar in a program of its own. */

import type { ThreadReport } from "../sidecar/reports.ts";
import type { ShutdownOptions, UpstreamOptions } from "../upstream-options.ts";

/**
 * The options of an upstream, as in the configuration file but without webhooks, and of its sidecar. A wrong one is
 * refused with a SidesocketError `invalid_config` that names it.
 */
export interface SidecarOptions extends UpstreamOptions {
  /** Time limits of the steps of the exit, such as `{ drain: "3s" }`. */
  readonly shutdown?: ShutdownOptions | undefined;
  /** Called with what your modules print and throw on the thread. By default it is printed with `console.error`. */
  readonly onReport?: ((report: ThreadReport) => void) | undefined;
  /** The file that the thread begins with, if a bundler has moved it: a path or a URL of `sidesocket-thread.mjs`. */
  readonly threadFile?: string | URL | undefined;
}

/** The options that can be given to a thread of its own: functions cannot. */
export interface KeptOptions extends Omit<SidecarOptions, "onReport"> {
  /** The file that the keeper begins with, if a bundler has moved it: a path or a URL of `sidesocket-keeper.mjs`. */
  readonly keeperFile?: string | URL | undefined;
}
