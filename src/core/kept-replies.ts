/** The kept replies: outcomes of asynchronous, late and idempotent requests, to be fetched by their callers. */
import type { ReplySettings } from "../config/schema.ts";
import type { Sent } from "../errors.ts";
import { type Failed, isUnsent, type Outcome, type Replied, sentOf } from "./outcome.ts";
import { Budget } from "./util/budget.ts";
import { flat } from "./util/flat.ts";
import { Shares } from "./util/shares.ts";

export type KeptState =
  | { readonly phase: "pending" }
  /** The request failed with `reply_timeout`, and its reply may still arrive. */
  | { readonly phase: "late"; readonly failed: Failed }
  | { readonly phase: "ended"; readonly outcome: Outcome }
  /** The request ended, but its reply was discarded for lack of room. Only the record remains. */
  | { readonly phase: "dropped"; readonly sent: Sent };

/** The record of one request. Only {@link KeptReplies} changes it. */
export interface KeptReply {
  readonly id: string;
  readonly upstream: string;
  /** The caller that it belongs to. */
  readonly owner: string;
  /** The Idempotency-Key by which a repeated request finds the record, and the digest that it must match. */
  readonly key: string | undefined;
  readonly digest: string | undefined;
  /** True if the replicas of a cluster know the key, and how its request ended. */
  readonly isShared: boolean;
  state: KeptState;
  /** Start of the `keep` period; undefined while the request is pending. */
  agingSince: number | undefined;
  readonly watchers: Set<(state: KeptState) => void>;
}

export type NewRecord = Pick<KeptReply, "id" | "upstream" | "owner" | "key" | "digest"> &
  Partial<Pick<KeptReply, "isShared">>;

/** Why there is no room for a record: all are in use, or the caller has its share of keys. */
export type NoRoom = "full" | "share";

/** Bounds of the whole; `keys` is the quota of each caller, and `shared` false if all callers are one. */
export interface KeyShares {
  readonly keys: number | undefined;
  readonly shared: boolean;
}

/**
 * Bounded by age, count and bytes. To make room the oldest record without a key is evicted first; one with a key never
 * before its time, because its message could be sent twice. Time is an argument, in milliseconds.
 */
export class KeptReplies {
  #bounds: ReplySettings;
  readonly #budget: Budget;
  #bytesMax: number;
  readonly #byId = new Map<string, KeptReply>();
  readonly #byKey = new Map<string, KeptReply>();
  readonly #keys: Shares;
  /** The records that are not pending, with a key and without; the oldest first. */
  readonly #aging = { keyed: new Set<KeptReply>(), free: new Set<KeptReply>() };
  /** The bytes of those that have some; the oldest first. */
  readonly #weights = new Map<KeptReply, number>();
  #bytes = 0;

  constructor(bounds: ReplySettings, budget = Budget.alone(), { keys, shared }: KeyShares = ALONE) {
    this.#bounds = bounds;
    this.#budget = budget;
    this.#bytesMax = Math.min(bounds.bytes, budget.partOf("kept"));
    this.#keys = new Shares(bounds.count, keys, shared);
  }

  /** Keeps by other bounds from here on: what is beyond them goes when the next one comes. */
  reconfigure(bounds: ReplySettings, { keys, shared }: KeyShares): void {
    this.#bounds = bounds;
    this.#bytesMax = Math.min(bounds.bytes, this.#budget.partOf("kept"));
    this.#keys.reconfigure(bounds.count, keys, shared);
  }

  get size(): number {
    return this.#byId.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  byId(id: string, now: number): KeptReply | undefined {
    this.#expire(now);
    return this.#byId.get(id);
  }

  byKey(key: string, now: number): KeptReply | undefined {
    this.#expire(now);
    return this.#byKey.get(key);
  }

  /** Opens a pending record, or says why there is no room for one. */
  open(request: NewRecord, now: number): KeptReply | NoRoom {
    this.#expire(now);
    const { owner, key } = request;
    if (key !== undefined && !this.#keys.admits(owner)) return this.#keys.total < this.#bounds.count ? "share" : "full";
    while (this.#byId.size >= this.#bounds.count) {
      const [oldest] = this.#aging.free;
      if (!oldest) return "full";
      this.#evict(oldest);
    }
    const state: KeptState = { phase: "pending" };
    const kept: KeptReply = { isShared: false, ...request, state, agingSince: undefined, watchers: new Set() };
    this.#byId.set(kept.id, kept);
    if (key !== undefined) {
      this.#byKey.set(key, kept);
      this.#keys.take(owner);
    }
    return kept;
  }

  /** Records that the request timed out and that its reply may still arrive. */
  markLate(kept: KeptReply, failed: Failed, now: number): void {
    this.#enter(kept, { phase: "late", failed }, now);
  }

  /**
   * Records the outcome. A request that was certainly not sent may be repeated, so its key is released. So is that of a
   * failure which other replicas may know better.
   */
  end(kept: KeptReply, outcome: Outcome, now: number): void {
    const isCertain = outcome.type === "reply" || outcome.type === "done";
    if (isUnsent(outcome) || (kept.isShared && !isCertain)) this.#releaseKey(kept);
    this.#enter(kept, { phase: "ended", outcome }, now);
  }

  #enter(kept: KeptReply, state: KeptState, now: number): void {
    kept.state = state;
    // An evicted record still shows its outcome to its watchers, but does not come back.
    if (this.#byId.get(kept.id) === kept) {
      kept.agingSince = now;
      this.#leaveAging(kept);
      this.#aging[this.#hasKey(kept) ? "keyed" : "free"].add(kept);
      this.#weigh(kept, weightOf(state));
    }
    notifyWatchers(kept);
    this.#discardReplies();
  }

  #weigh(kept: KeptReply, weight: number): void {
    const more = weight - (this.#weights.get(kept) ?? 0);
    this.#weights.delete(kept);
    if (weight > 0) this.#weights.set(kept, weight);
    this.#bytes += more;
    this.#budget.take("kept", more);
  }

  /** Runs after the watchers were notified. What no longer fits is discarded; its record remains. */
  #discardReplies(): void {
    for (const kept of this.#weights.keys()) {
      if (this.#bytes <= this.#bytesMax) return;
      kept.state = withoutTexts(kept.state);
      this.#weigh(kept, 0);
    }
  }

  #expire(now: number): void {
    for (const aging of [this.#aging.keyed, this.#aging.free]) {
      for (const kept of aging) {
        if (now - (kept.agingSince ?? now) < this.#bounds.keep) break;
        this.#evict(kept);
      }
    }
  }

  #evict(kept: KeptReply): void {
    this.#releaseKey(kept);
    this.#byId.delete(kept.id);
    this.#leaveAging(kept);
    this.#weigh(kept, 0);
    if (kept.state.phase === "late") kept.state = { phase: "dropped", sent: kept.state.failed.failure.sent };
    notifyWatchers(kept);
  }

  #leaveAging(kept: KeptReply): void {
    this.#aging.keyed.delete(kept);
    this.#aging.free.delete(kept);
  }

  #hasKey({ key, id }: KeptReply): boolean {
    return key !== undefined && this.#byKey.get(key)?.id === id;
  }

  #releaseKey(kept: KeptReply): void {
    if (kept.key === undefined || !this.#hasKey(kept)) return;
    this.#byKey.delete(kept.key);
    this.#keys.give(kept.owner);
  }
}

const ALONE: KeyShares = { keys: undefined, shared: false };

function notifyWatchers(kept: KeptReply): void {
  const { state } = kept;
  for (const watcher of [...kept.watchers]) watcher(state);
}

/** The state with nothing of what the caller or the upstream wrote, except that it ended, and how. */
function withoutTexts(state: KeptState): KeptState {
  if (state.phase === "late") return { phase: "late", failed: bare(state.failed) };
  if (state.phase !== "ended") return state;
  const { outcome } = state;
  if (outcome.type === "failed") return { phase: "ended", outcome: bare(outcome) };
  return { phase: "dropped", sent: sentOf(outcome) };
}

function bare({ failure: { code, sent, detail } }: Failed): Failed {
  return { type: "failed", failure: { code, sent, detail: flat(detail.slice(0, DETAIL_CHARACTERS)) } };
}

/** The most of a detail that is left of a failure: those of an upstream can be long. */
const DETAIL_CHARACTERS = 500;
/** The bytes that an item of a batch costs besides its texts. */
const ITEM_BYTES = 128;

/** The size of the texts and bytes in a state. A text counts its UTF-16 units, which is close enough for a bound. */
function weightOf(state: KeptState): number {
  if (state.phase === "late") return weightOfItem(state.failed);
  if (state.phase !== "ended") return 0;
  const { outcome } = state;
  if (outcome.type === "done") return 0;
  if (outcome.type !== "batch") return weightOfItem(outcome);
  return outcome.items.reduce((total, item) => total + ITEM_BYTES + weightOfItem(item), 0);
}

function weightOfItem(item: Replied | Failed): number {
  if (item.type === "reply") return item.body.length;
  const { failure, own = "", upstreamError = "" } = item;
  const detail = Math.max(0, failure.detail.length - DETAIL_CHARACTERS);
  return own.length + upstreamError.length + detail + (failure.heard?.last.length ?? 0);
}
