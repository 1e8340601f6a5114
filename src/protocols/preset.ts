/** A preset: a protocol with the defaults of its connections, which the configuration overrides. */

import type { CaptureRule, DurationOfValue } from "./capture-plan.ts";
import type { Challenge } from "./challenge.ts";
import type { Condition } from "./condition.ts";
import type { FrameOptions } from "./frames.ts";
import type { Protocol } from "./protocol.ts";

/** A step of a greeting, in its parsed form: it sends, expects, or does one after the other. */
export interface GreetingStep {
  readonly send?: unknown;
  /** Only in presets: responds to the challenge in the frame of the expect step before. */
  readonly challenge?: Challenge;
  readonly expect?: Expectation | undefined;
  /** True: only on a connection that begins anew. False: only on one that resumes. */
  readonly first?: boolean | undefined;
}

/** A step of a farewell, in its parsed form: it sends, expects, or does one after the other. */
export interface FarewellStep {
  readonly send?: unknown;
  /** `within`: milliseconds. */
  readonly expect?: (Condition & { readonly within: number }) | undefined;
}

/** A condition on the frame to come; an empty one takes any frame. */
export interface Expectation extends Condition {
  /** Looked at first: a frame that meets it ends the attempt. */
  readonly reject?: Rejection | undefined;
  /** Milliseconds. */
  readonly within: number;
}

export interface Rejection extends Condition {
  /** When the next attempt is made; by default `refuse`. */
  readonly class?: RetryClass | undefined;
}

/** The class of a disconnect: retry soon, retry after some seconds, or retry only every `reconnect.refused`. */
export type RetryClass = "retry" | "slow" | "refuse";

/** A message that asks the upstream for a sign of life, in its parsed form. */
export interface HeartbeatMessage {
  readonly send: unknown;
  /** Milliseconds between two of them, or a captured number. */
  readonly every: number | DurationOfValue;
  /** The reply; without it, the message is only sent. */
  readonly expect?: Condition | undefined;
  /** Milliseconds within which the reply must come. */
  readonly within: number;
}

export interface Preset {
  /** The protocol, or a function that loads it together with modules that only it needs. */
  readonly protocol: Protocol | (() => Promise<Protocol>);
  readonly subprotocols?: readonly string[];
  /** Null if the preset cannot greet because it has no token. */
  readonly greeting?: readonly GreetingStep[] | null;
  readonly farewell?: readonly FarewellStep[];
  readonly capture?: readonly CaptureRule[];
  readonly heartbeat?: HeartbeatMessage;
  readonly frames?: FrameOptions;
  /** Values that go into every message of a caller, by JSON pointer. */
  readonly add?: Readonly<Record<string, string>>;
  /** The close code that is sent. */
  readonly closeCode?: number;
  /** When the next connection is opened before the one in use breaks. */
  readonly rotate?: Rotate;
  /** The messages that name the address of the next connection. */
  readonly toAddress?: AddressSource;
  /** The retry class of the protocol's own close codes; core/connection/disconnect.ts has all others. */
  readonly codes?: Readonly<Record<number, RetryClass>>;
}

/** A rotation, in its parsed form. */
export interface Rotate {
  /** Milliseconds. */
  readonly every?: number | undefined;
  readonly on?: Condition | undefined;
  /** Milliseconds for the old connection to deliver its replies. */
  readonly drain: number;
}

/** The place of an address in messages, and the hosts that it may name. */
export interface AddressSource {
  readonly when: Condition;
  /** The place of the address in them. */
  readonly at: string;
  readonly hosts: string[];
}

/** The time that a replaced connection has for its replies if no setting says so: the default of that setting. */
export const DRAIN_MS = 30_000;

/** The deadline of each expect step of a preset's greeting, in milliseconds. */
export const STEP_MS = 5_000;

/** The deadline of each expect step of a farewell if no setting says so, in milliseconds. */
export const FAREWELL_STEP_MS = 1_000;
