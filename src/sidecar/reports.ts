/** Reports of an upstream and of its thread, as the users of the library get them. */

/** The phase of an upstream, which the host knows at any moment. */
export interface UpstreamState {
  readonly phase: "idle" | "connecting" | "greeting" | "ready" | "waiting" | "refused" | "closing" | "closed";
  /** Failed attempts since the last success. */
  readonly attempts: number;
  /** The reason why the last connection or attempt ended; undefined before the first end. */
  readonly lastError?: string | undefined;
  /** The code of that reason: a close code, `http_` and the status of a refused upgrade, or a word. */
  readonly lastCause?: string | undefined;
  /** The rung of the liveness ladder that last found a connection dead. */
  readonly foundDeadBy?: "ping" | "heartbeat" | "silence" | undefined;
  /** Milliseconds until the next attempt, in `waiting` and `refused`. */
  readonly retryInMs?: number | undefined;
  /** The replica that has the connection, if several of a cluster share it; the phase is what that one says. */
  readonly owner?: OwnerState | undefined;
}

/** The owner of an upstream as this replica knows it. */
export interface OwnerState {
  /** The id of the owner; undefined if there is none. */
  readonly member: string | undefined;
  /** True if it is this replica. */
  readonly self: boolean;
  /** The number of the owner's term, which grows. */
  readonly term: number | undefined;
  /** True if requests are answered, or will probably be once the upstream has another owner. */
  readonly serving: boolean;
}

/** The host's own part of an upstream's state, also of the time before its thread crashed. */
export interface KnownState extends UpstreamState {
  /** The time at which the current phase began. */
  readonly since: Date;
  /** When it was last ready; undefined while it is, and if it never was. */
  readonly readyUntil?: Date | undefined;
}

/**
 * - `printed`: a user's module wrote to the console or to a standard stream.
 * - `threw`: an exception of a user's module, which was caught.
 * - `clustered`: something happened in the cluster: the upstream has another owner, or the message server is there.
 * - `cluster_fault`: something is wrong with the cluster: a missing right, a lost message server.
 * - `dying`: an exception that nothing caught, or `process.exit`, of which the thread dies.
 */
export interface ThreadReport {
  readonly event: "printed" | "threw" | "clustered" | "cluster_fault" | "dying";
  readonly text: string;
}

/** A value of `capture` as people may see it. */
export interface CapturedValue {
  readonly present: boolean;
  readonly secret: boolean;
  readonly keep: boolean;
  /** The value as the upstream wrote it. Absent if it is secret, or not there. */
  readonly json?: string;
  /** Why the last value was not taken. */
  readonly fault?: string;
}

const phases: Readonly<Record<UpstreamState["phase"], true>> = {
  idle: true,
  connecting: true,
  greeting: true,
  ready: true,
  waiting: true,
  refused: true,
  closing: true,
  closed: true,
};

/** All phases of an upstream, in the order of their way. */
export const PHASES = Object.keys(phases) as readonly UpstreamState["phase"][];
