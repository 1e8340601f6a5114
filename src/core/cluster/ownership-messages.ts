/** The beats and records by which members agree on the owner of an upstream, and the effects of an ownership. */
import type { Instant } from "./lease.ts";

/** One period of ownership; its number is the revision of the record. */
export interface OwnedUpstream {
  readonly upstream: string;
  readonly term: number;
  /** Random, and new for each owner: nobody else ever answers there. */
  readonly address: string;
  /** The state of the upstream at its owner. */
  readonly phase: string;
}

export interface ReleasedUpstream {
  readonly upstream: string;
  /** The revision of the record that released it. */
  readonly term: number;
  /** The address at which requests that are on their way are still answered. */
  readonly address: string;
}

export interface Beat {
  readonly member: string;
  /** Set by the sender's clocks, for the sender. */
  readonly at: Instant;
  readonly owned: readonly OwnedUpstream[];
  readonly released: readonly ReleasedUpstream[];
}

/** The most upstreams in each list of a beat: a message server takes no message of more than 1 MiB. */
export const BEAT_MAX = 2_000;

/** Splits a beat that may be too long: one that does not name an upstream says nothing of it. */
export function splitBeat({ owned, released, ...common }: Beat): readonly Beat[] {
  const count = Math.max(1, Math.ceil(Math.max(owned.length, released.length) / BEAT_MAX));
  return Array.from({ length: count }, (_, n) => {
    const [from, to] = [n * BEAT_MAX, (n + 1) * BEAT_MAX];
    return { ...common, owned: owned.slice(from, to), released: released.slice(from, to) };
  });
}

/** The value of an upstream's record: its owner, or the address of the one that released it. */
export type OwnerValue = { readonly member: string; readonly address: string } | { readonly from: string };

/**
 * - `lease`: nothing proved in time that others hear us.
 * - `taken`: there is a newer owner.
 * - `unproven`: no write was acknowledged, so that we may be on the lesser side of a partition.
 * - `removed`: the upstream is no longer ours to hold.
 */
export type ResignReason = "lease" | "taken" | "unproven" | "removed";

export type OwnershipEffect =
  /**
   * Answer at the address, then write `{member, address}` if `after` is still the newest revision, and report
   * `claimed`. Unless this wins or the address is held already, stop answering there.
   */
  | {
      readonly type: "claim";
      readonly upstream: string;
      readonly after: number;
      readonly address: string;
      readonly withinMs: number;
    }
  /** Read the record from the leader, and report `found` or `lookFailed`. */
  | { readonly type: "look"; readonly upstream: string; readonly withinMs: number }
  /** Open the socket; if it is open, keep it under this newer term. */
  | { readonly type: "own"; readonly upstream: string; readonly term: number; readonly address: string }
  /** Break the socket, and stop answering at the address. */
  | { readonly type: "resign"; readonly upstream: string; readonly address: string; readonly why: ResignReason }
  /** Write `{from}` if `after` is still the newest revision, and report `released`. */
  | {
      readonly type: "release";
      readonly upstream: string;
      readonly after: number;
      readonly from: string;
      readonly withinMs: number;
    }
  /** The record is released: others may own it by now. What was sent may still be answered at the address. */
  | { readonly type: "released"; readonly upstream: string; readonly term: number; readonly address: string }
  | { readonly type: "beat"; readonly beat: Beat }
  /** Write anything with an acknowledgement, and report it by `proved` with the same moment. */
  | { readonly type: "prove"; readonly at: Instant; readonly withinMs: number }
  /** Call `tick` at this time of the clock that never goes back; it replaces the one before. */
  | { readonly type: "tick"; readonly at: number };
