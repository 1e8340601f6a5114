/** The farewell, the script of sends and expects that a connection is left with, before its close frame. */

import type { FarewellStep } from "../../protocols/preset.ts";
import { filledMessage, ValueMissing } from "./captured-texts.ts";
import type { CapturedScalars } from "./captured-values.ts";

/** The part of a farewell to say next. */
export interface FarewellPart {
  readonly frames: readonly string[];
  /** The step whose frame to wait for then, at most that long; undefined if there is nothing more to say. */
  readonly awaits: { readonly step: number; readonly ms: number } | undefined;
}

/**
 * Continues the farewell at step `from`. An expect step is skipped when no time is left: what follows is still said.
 * @param leftMs the time that is left for all steps
 */
export function farewellFrom(
  steps: readonly FarewellStep[],
  from: number,
  values: CapturedScalars,
  leftMs: number,
): FarewellPart {
  const frames: string[] = [];
  for (let step = from; step < steps.length; step++) {
    const { send, expect } = steps[step] ?? {};
    try {
      if (send !== undefined) frames.push(filledMessage(send, values));
    } catch (error) {
      if (!(error instanceof ValueMissing)) throw error;
      return { frames, awaits: undefined };
    }
    if (expect && leftMs > 0) return { frames, awaits: { step, ms: Math.min(expect.within, leftMs) } };
  }
  return { frames, awaits: undefined };
}
