/** The end of what a program has launched. */

import type { ExitReport } from "../sidecar/exit-report.ts";
import type { Inner } from "./inner.ts";
import { demandKnown, type OptionNames } from "./option-names.ts";

export interface SidecarExitOptions {
  /** The trigger, for the report. By default `exit()`. */
  readonly cause?: string;
  /** Sets the time limits of the remaining steps to zero. */
  readonly force?: boolean;
}

const EXIT: OptionNames<SidecarExitOptions> = { cause: true, force: true };

/** Runs the exit protocol, once however often it is called. @internal */
export async function exit({ sidecars, hold }: Inner, options: SidecarExitOptions): Promise<ExitReport> {
  demandKnown(options, EXIT, "exit");
  const { cause = "exit()", force = false } = options;
  // A program that has nothing else to do would end before the exit does.
  hold.hold();
  return await sidecars.exit({ cause, force });
}

/** Lets the program end: the exit begins when nothing else holds it. @internal */
export function letProgramEnd(inner: Inner): void {
  if (inner.sidecars.exiting) return;
  inner.hold.release(() => void exit(inner, { cause: "the program ended" }));
}
