import type { WireId } from "../../protocols/protocol.ts";
import type { SentEntry } from "./request-table.ts";

/** What a frame is that no request waits for: a reply that came too late, one to nothing that was asked, or neither. */
export type Stray = "late" | "unclaimed" | "message";

/** How frames find their requests: by the ids in them (`ById`), or by their order (`ByOrder`). */
export interface Correlation {
  /** How many requests may be in flight at once. */
  readonly capacity: number;
  /** When `expire` is due; undefined if nothing has a deadline. */
  readonly nextDeadline: number | undefined;
  /** An id for a new request. There is a free one for as long as fewer than `capacity` are in flight. */
  draw(): number;
  /** Whether a caller's own id cannot be told from that of another request: one in flight, or one that may be answered. */
  isTaken(wire: WireId): boolean;
  /** Whether a message may be handed to the socket now. */
  takes(expectsReply: boolean): boolean;
  /** It is being handed to the socket. */
  handedOver(entry: SentEntry, now: number): void;
  /** The request that a frame on this connection answers. */
  find(connection: number, wire: WireId): SentEntry | undefined;
  /** A request that was sent ended, and no reply to it can come any more. */
  ended(entry: SentEntry): void;
  /**
   * A request that was sent ended for its caller while its reply may still come: that one must answer nothing else.
   * `newest`: over the newest connection.
   */
  orphaned(entry: SentEntry, now: number, newest: boolean): void;
  /** What a frame is that answers nobody. `newest`: it came over the newest connection; `last`: its answer ends with it. */
  stray(wire: WireId, newest: boolean, last: boolean): Stray;
  /** The newest connection is gone, or is that no more: what it owes with requests that have ended concerns nobody. */
  clear(): void;
  /** Ends a wait whose deadline has passed. @returns true if only a new connection is safe from here on */
  expire(now: number): boolean;
}
