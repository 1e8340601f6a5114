/** What a preset brings besides its protocol: how its connections begin and end, unless the configuration says otherwise. */

import type { Challenge } from "./challenge.ts";
import type { Condition, Values } from "./condition.ts";
import type { Protocol } from "./protocol.ts";

/** A step of a greeting, as the configuration has it once it was read. */
export type GreetingStep =
  | {
      readonly send: unknown;
      /** Of a preset's own: what is sent answers the frame that was expected before it. */
      readonly challenge?: Challenge;
    }
  | {
      readonly expect: Condition & {
        readonly reject?: Values | undefined;
        /** Milliseconds. */
        readonly within: number;
      };
    };

export interface Preset {
  /** Or what loads it, where it needs more than others should have to load. */
  readonly protocol: Protocol | (() => Promise<Protocol>);
  readonly subprotocols?: readonly string[];
  /** Null when it cannot greet by itself: it was not given its token. */
  readonly greeting?: readonly GreetingStep[] | null;
  /** What the dialect's own close codes mean for the next attempt; that of all others is in core/drop.ts. */
  readonly codes?: Readonly<Record<number, "retry" | "slow" | "refuse">>;
}

/** How long each step of a preset's greeting may take, in milliseconds. */
export const STEP_MS = 5_000;
