/** The state, inputs and effects of a session, shared by the parts that decide on them. */
import type { UpstreamSettings } from "../../config/schema.ts";
import type { Body, WireId } from "../../protocols/protocol.ts";
import type { Captured } from "./captured-values.ts";
import type { Disconnect } from "./disconnect.ts";
import type { ConfiguredBy, FrameOrigin } from "./frame-origin.ts";
import type { Keepalive, Ladder, Traffic } from "./liveness.ts";
import type { Signs } from "./signs-of-life.ts";

/**
 * Every attempt gets its own connection number; input from any other connection is stale and ignored.
 * A phase has at most one timer, set for the nearest of its deadlines; the timer dies with the phase.
 */
export type Phase =
  | { readonly phase: "idle" }
  | { readonly phase: "connecting"; readonly connection: number }
  /** The socket is open, and the expect step at index `step` of the greeting awaits its frame. */
  | Greeting
  | Ready
  /** Between attempts; the next one is due at `until`. */
  | { readonly phase: "waiting"; readonly until: number; readonly cause: Disconnect }
  /** A quick retry would be pointless; the next attempt is due at `until`, much later. */
  | { readonly phase: "refused"; readonly until: number; readonly cause: Disconnect }
  /** The close handshake is under way; no attempt follows. */
  | { readonly phase: "closing"; readonly connection: number }
  | { readonly phase: "closed" };

export interface Greeting {
  readonly phase: "greeting";
  readonly connection: number;
  readonly step: number;
  /** The last frame that came and did not match. */
  readonly last?: Body | undefined;
}

export interface Ready {
  readonly phase: "ready";
  readonly connection: number;
  readonly since: number;
  /** A frame or the pong of a ping has come. */
  readonly hasTraffic: boolean;
  readonly ladder: Ladder;
}

export interface Session {
  readonly at: Phase;
  /** The number of the newest attempt's connection; each is used once. */
  readonly connection: number;
  /** Failed attempts since the upstream last proved itself by real traffic on a connection that lasted. */
  readonly failures: number;
  /** Connections in a row that served, and ended before they were as old as the longest backoff. */
  readonly flaps: number;
  /** When the last connection that was ready ended, or was left. */
  readonly readyUntil?: number | undefined;
}

/** A frame arrived; required only where {@link wantsFrames} is true. */
export interface FrameInput {
  readonly type: "frame";
  readonly connection: number;
  readonly frame: Body;
  /** Required only where {@link looksAtFrames} is true. */
  readonly origin?: FrameOrigin | undefined;
}

export type SessionInput =
  | { readonly type: "start" }
  | { readonly type: "opened"; readonly connection: number }
  /** The protocol cannot serve the connection, or sends what does not go out. */
  | { readonly type: "unservable"; readonly connection: number; readonly detail: string }
  /** The connection's socket has ended, or could not be opened. */
  | { readonly type: "dropped"; readonly connection: number; readonly disconnect: Disconnect }
  | FrameInput
  /** The operating system has taken the ping with this proof. */
  | { readonly type: "pingSent"; readonly connection: number; readonly proof: string }
  | { readonly type: "pong"; readonly connection: number; readonly proof: string }
  /** The phase's timer fired. */
  | { readonly type: "timer" }
  /** A value that the heartbeat needs has come, or has changed. */
  | { readonly type: "captured"; readonly connection: number }
  /** Ping now: a request awaits proof of delivery. */
  | { readonly type: "probe" }
  /** Replace this connection by a new one. */
  | { readonly type: "renew"; readonly detail: string }
  /** The settings have changed. `anew`: an attempt by the former ones, or the pause after one, is pointless. */
  | { readonly type: "settings"; readonly anew: boolean }
  /** Break the connection, and open none before the next `start`. */
  | { readonly type: "resign"; readonly detail: string }
  /** Close for good and abort any attempt. Repeat with 0 to destroy a socket that is still closing. */
  | { readonly type: "close"; readonly withinMs: number };

export type SessionEffect =
  | { readonly type: "connect"; readonly connection: number; readonly withinMs: number }
  /** Send a frame of the configuration. If it carries an id, it gets one of ours. */
  | { readonly type: "send"; readonly connection: number; readonly frame: string; readonly by: ConfiguredBy }
  /** The reply to the frame of the configuration that has this id on the wire met its condition. */
  | { readonly type: "answered"; readonly connection: number; readonly id: WireId }
  | { readonly type: "ping"; readonly connection: number; readonly proof: string }
  /**
   * Start the close handshake, after the farewell if that is to be said; destroy the socket if it takes longer than
   * `withinMs`.
   */
  | {
      readonly type: "close";
      readonly connection: number;
      readonly code: number;
      readonly withinMs: number;
      readonly farewell?: true;
    }
  | { readonly type: "destroy"; readonly connection: number }
  /** Set the one timer; undefined clears it. `isPeerDeadline`: the peer counts as dead if nothing arrives first. */
  | { readonly type: "timer"; readonly ms: number | undefined; readonly isPeerDeadline?: true }
  /** Forget the values that are kept for the next connection: it begins anew. */
  | { readonly type: "forget" }
  /** Requests on this connection will receive no further replies. */
  | { readonly type: "lost"; readonly connection: number; readonly cause: Disconnect }
  /** The upstream has received everything written before the ping with this proof. */
  | { readonly type: "proven"; readonly connection: number; readonly proof: string }
  /** A frame that arrived during the greeting without being part of it: no request can have been sent yet. */
  | { readonly type: "message"; readonly connection: number; readonly frame: Body }
  /** A frame that does not concern the session: it may be a reply. */
  | { readonly type: "frame"; readonly connection: number; readonly frame: Body };

/** The clock, randomness and settings that the machine needs but must not access by itself. */
export interface SessionContext {
  /** Milliseconds of a monotonic clock. */
  readonly now: number;
  /** A number in [0, 1). */
  readonly random: number;
  /** The proof that a ping sent now would carry. Never the same twice. */
  readonly proof: string;
  /** When the peer last sent a frame or a ping, by the clock of `now`. */
  readonly lastActivityAt: number;
  /** The byte counts of the current connection. */
  readonly traffic: Traffic;
  /** The signs of life of the current connection, for the description of its end. */
  readonly signs?: Readonly<Signs> | undefined;
  /** Texts that must not be shown. */
  readonly secrets: readonly string[];
  readonly captured: Captured;
  /** True if the next connection can go on where this one ends. */
  readonly canResume: boolean;
  readonly settings: Pick<UpstreamSettings, "connect_within" | "greeting" | "keepalive" | "reconnect" | "close_code">;
}

/** The context with the captured values of the session's connection in the heartbeat. */
export interface StepContext extends SessionContext {
  readonly settings: Omit<SessionContext["settings"], "keepalive"> & { readonly keepalive: Keepalive };
}

export interface Transition {
  readonly session: Session;
  readonly effects: readonly SessionEffect[];
}

export const newSession: Session = { at: { phase: "idle" }, connection: 0, failures: 0, flaps: 0 };

/** The longest delay of a timer on either runtime, in milliseconds; with a longer one it fires at once. */
export const TIMER_MAX_MS = 2 ** 31 - 1;

/** Clears the one timer. */
export const CLEAR_TIMER: SessionEffect = { type: "timer", ms: undefined };

export function stay(session: Session): Transition {
  return { session, effects: [] };
}
