/** The correlation of an exchange: how frames find their requests. */
import type { WireId } from "../../protocols/protocol.ts";
import type { SentEntry, SentPhase } from "./request-table.ts";

/**
 * A frame that answers no request in flight: a late reply, a reply to nothing that was requested, or a message that
 * never was a reply.
 */
export type Stray = "late" | "unclaimed" | "message";

/** Finds requests by the ids in frames (`CorrelateById`), or by the frames' order (`CorrelateByOrder`). */
export interface Correlation {
  /** How many requests may be in flight at once. */
  readonly capacity: number;
  /** When `expire` is due; undefined if nothing has a deadline. */
  readonly nextDeadline: number | undefined;
  /** Draws an id for a new request. One is free as long as fewer than `capacity` are in flight. */
  draw(): number;
  /** True if a caller's own id is that of another request which is in flight or may still be replied to. */
  isTaken(wire: WireId): boolean;
  /** True if replies on the newest connection can no longer be told apart: the next request needs another one. */
  readonly needsRenewal: boolean;
  /** True if a message may be handed to the socket now. `unanswered`: certainly nothing answers it. */
  takes(expectsReply: boolean, unanswered: boolean): boolean;
  /** Call as an entry is handed to the socket. */
  handedOver(entry: SentEntry, now: number): void;
  /** Takes note that the upstream goes on with the reply to `wire` under another id. */
  learn(connection: number, wire: WireId, alias: string): void;
  /** The id of the request that was given this alias on this connection. */
  named(connection: number, alias: string): WireId | undefined;
  /** True if the next frame on this connection may be taken for a reply, though it names no request. */
  owesNext(connection: number): boolean;
  /** An alias of that request; undefined if none is known. */
  aliasOf(wire: WireId): string | undefined;
  /** The request that a frame on this connection answers. */
  find(connection: number, wire: WireId): SentEntry | undefined;
  /**
   * Call when a sent request has ended and its reply can no longer come. `repliedAt`: when its reply came, if it did.
   */
  ended(entry: SentEntry, repliedAt?: number): void;
  /**
   * Call when a sent request has ended while its reply may still come: that reply must answer nothing else.
   * `newest`: the request went out on the newest connection.
   */
  orphaned(entry: SentEntry, now: number, newest: boolean): void;
  /** Takes note that an entry which was orphaned is to be cancelled once its alias is known. */
  cancelOnceNamed(entry: SentEntry): void;
  /** @returns true, once, for such a request whose reply has not ended yet */
  takeUncancelled(wire: WireId): boolean;
  /** The phase of a request that ended while its reply may still come; undefined if none is known. */
  owed(wire: WireId): SentPhase | undefined;
  /**
   * Classifies a frame that answers no request in flight. `newest`: it came over the newest connection; `last`: its
   * reply ends with it.
   */
  stray(wire: WireId, newest: boolean, last: boolean, now: number): Stray;
  /** Call when the newest connection is lost or superseded: the late replies that it still owes concern nobody. */
  clear(): void;
  /** Ends a wait whose deadline has passed. @returns true if only a new connection is safe from here on */
  expire(now: number): boolean;
}
