/** The options of a sidecar in a program of its own. */

import type { ShutdownBounds, UpstreamInput } from "./config/schema.ts";
import type { ThreadReport } from "./sidecar/contract.ts";

/**
 * The settings of an upstream, as in the configuration file but without webhooks. Durations and sizes are strings with
 * units, such as `"10s"` and `"1MiB"`.
 */
export interface SidecarOptions extends Omit<UpstreamInput, "webhooks"> {
  /** Time limits of the steps of the exit, such as `{ drain: "3s" }`. */
  readonly shutdown?: Partial<Record<keyof ShutdownBounds, string>>;
  /** Called with what your modules print and throw on the thread. By default it is printed with `console.error`. */
  readonly onReport?: (report: ThreadReport) => void;
  /** The file that the thread begins with, if a bundler has moved it: a path or a URL of `sidesocket-thread.mjs`. */
  readonly threadFile?: string | URL;
}
