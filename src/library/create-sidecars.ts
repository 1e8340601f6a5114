/** Several upstreams of one program, which share threads, memory and the exit. */

import { refused } from "../errors.ts";
import type { ExitReport } from "../sidecar/exit-report.ts";
import type { UpstreamOptions } from "../upstream-options.ts";
import { exit, letProgramEnd, type SidecarExitOptions } from "./ending.ts";
import { type LaunchOptions, launchNamed } from "./launch.ts";
import { demandKnown, type OptionNames } from "./option-names.ts";
import { type Sidecar, sidecarOf } from "./sidecar.ts";

/** One of several upstreams, which exit together. */
export type NamedSidecar = Omit<Sidecar, "exit" | "close" | "unref" | typeof Symbol.asyncDispose>;

export interface SidecarGroup<Name extends string> extends AsyncDisposable {
  /** The upstreams by their names; also for `createApp`. */
  readonly upstreams: Readonly<Record<Name, NamedSidecar>>;
  /** Runs the exit protocol of all of them, once however often it is called. */
  exit(options?: SidecarExitOptions): Promise<ExitReport>;
  /** Lets the program end although they run: once nothing else keeps it, they exit. */
  unref(): void;
}

const LAUNCH: OptionNames<LaunchOptions> = { shutdown: true, onReport: true, threadFile: true };

/**
 * Starts several upstreams, and resolves when their threads are ready: up to eight, which they share beyond that. They
 * share one budget of memory and one exit, too.
 * @throws SidesocketError as `Sidecar.start` does: none of them runs then
 */
export async function createSidecars<Name extends string>(
  upstreams: Readonly<Record<Name, UpstreamOptions>>,
  options: LaunchOptions = {},
): Promise<SidecarGroup<Name>> {
  demandKnown(options, LAUNCH, "createSidecars", "invalid_config");
  const all = await launchNamed(upstreams, options);
  const [first] = all;
  if (!first) throw refused("invalid_config", "upstreams: must have at least one upstream");
  const named = all.map((inner): [string, NamedSidecar] => [inner.client.name, sidecarOf(inner)]);
  return {
    upstreams: Object.fromEntries(named) as Record<Name, NamedSidecar>,
    exit: (exitOptions = {}) => exit(first, exitOptions),
    unref: () => letProgramEnd(first),
    async [Symbol.asyncDispose]() {
      await exit(first, { cause: "dispose" });
    },
  };
}
