/** A preset: a protocol with the defaults of its connections, which the configuration overrides. */

import type { Challenge } from "./challenge.ts";
import type { Condition, Values } from "./condition.ts";
import type { Protocol } from "./protocol.ts";

/** A step of a greeting, in its parsed form. */
export type GreetingStep =
  | {
      readonly send: unknown;
      /** Only in presets: responds to the challenge in the frame of the expect step before. */
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
  /** The protocol, or a function that loads it together with modules that only it needs. */
  readonly protocol: Protocol | (() => Promise<Protocol>);
  readonly subprotocols?: readonly string[];
  /** Null if the preset cannot greet because it has no token. */
  readonly greeting?: readonly GreetingStep[] | null;
  /** The retry class of the protocol's own close codes; core/connection/disconnect.ts has all others. */
  readonly codes?: Readonly<Record<number, "retry" | "slow" | "refuse">>;
}

/** The deadline of each expect step of a preset, in milliseconds. */
export const STEP_MS = 5_000;
