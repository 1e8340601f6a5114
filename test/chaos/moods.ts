/** Moods of the chaos upstream and its deeds: plain data, since another process sets them. */
import type { Handshake } from "../faults/handshake.ts";

export interface Mood {
  /** The name of an answer in answers.ts; `mixed` if the dialect has none of this name. */
  readonly answer: string;
  /** Applies to later connections. */
  readonly handshake?: Handshake;
  /** Leaves pings unanswered. */
  readonly mute?: boolean;
}

export type Deed =
  | { readonly do: "mood"; readonly mood: Mood }
  /** Sends a close frame with this code on every connection. */
  | { readonly do: "close"; readonly code: number; readonly reason: string }
  /** Sends a frame that RFC 6455 forbids, by its name in violations.ts. */
  | { readonly do: "violate"; readonly name: string }
  /** Sends these bytes, whatever they mean. */
  | { readonly do: "raw"; readonly hex: string }
  | { readonly do: "reset" }
  | { readonly do: "end" }
  /** Stops listening, ends every connection, and listens again after this long. */
  | { readonly do: "restart"; readonly ms: number }
  /** Sends unsolicited messages. */
  | { readonly do: "flood"; readonly count: number; readonly bytes: number }
  | { readonly do: "pings"; readonly count: number }
  /** Stops reading for this long. */
  | { readonly do: "pause"; readonly ms: number };

export interface Stats {
  /** TCP connections since the start. */
  readonly connections: number;
  readonly messages: number;
  /** Messages without a number, which the configuration sends. */
  readonly configured: number;
  /** The number of ticks sent, and of subscriptions to them that the upstream ended. */
  readonly ticks: number;
  readonly ended: number;
}
