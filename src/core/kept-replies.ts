/** The kept replies: outcomes of asynchronous, late and idempotent requests, to be fetched by their callers. */
import type { ReplySettings } from "../config/schema.ts";
import { type Failed, isUnsent, type Outcome } from "./outcome.ts";

export type KeptState =
  | { readonly phase: "pending" }
  /** The request failed with `reply_timeout`, and its reply may still arrive. */
  | { readonly phase: "late"; readonly failed: Failed }
  | { readonly phase: "ended"; readonly outcome: Outcome }
  /** The request ended, but its reply was discarded for lack of room. Only the record remains. */
  | { readonly phase: "dropped" };

/** The record of one request. Only {@link KeptReplies} changes it. */
export interface KeptReply {
  readonly id: string;
  readonly upstream: string;
  /** The Idempotency-Key by which a repeated request finds the record, and the digest that it must match. */
  readonly key: string | undefined;
  readonly digest: string | undefined;
  state: KeptState;
  /** Start of the `keep` period; undefined while the request is pending. */
  agingSince: number | undefined;
  readonly watchers: Set<(state: KeptState) => void>;
}

/** Bounded by age, count and bytes; the oldest record is evicted first. Time is an argument, in milliseconds. */
export class KeptReplies {
  readonly #bounds: ReplySettings;
  readonly #byId = new Map<string, KeptReply>();
  readonly #byKey = new Map<string, KeptReply>();
  /** The records that are not pending, the oldest first. */
  readonly #aging = new Set<KeptReply>();
  #bytes = 0;

  constructor(bounds: ReplySettings) {
    this.#bounds = bounds;
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

  /** Opens a pending record. Returns undefined if no room can be made, because all records are pending. */
  open(request: Pick<KeptReply, "id" | "upstream" | "key" | "digest">, now: number): KeptReply | undefined {
    this.#expire(now);
    while (this.#byId.size >= this.#bounds.count) {
      const [oldest] = this.#aging;
      if (!oldest) return undefined;
      this.#evict(oldest);
    }
    const kept: KeptReply = { ...request, state: { phase: "pending" }, agingSince: undefined, watchers: new Set() };
    this.#byId.set(kept.id, kept);
    if (kept.key !== undefined) this.#byKey.set(kept.key, kept);
    return kept;
  }

  /** Records that the request timed out and that its reply may still arrive. */
  markLate(kept: KeptReply, failed: Failed, now: number): void {
    this.#enter(kept, { phase: "late", failed }, now);
  }

  /** Records the outcome. A request that was certainly not sent may be repeated, so its key is released. */
  end(kept: KeptReply, outcome: Outcome, now: number): void {
    if (isUnsent(outcome)) this.#releaseKey(kept);
    this.#enter(kept, { phase: "ended", outcome }, now);
  }

  #enter(kept: KeptReply, state: KeptState, now: number): void {
    kept.state = state;
    // An evicted record still shows its outcome to its watchers, but does not come back.
    if (this.#byId.get(kept.id) === kept) {
      kept.agingSince = now;
      this.#aging.delete(kept);
      this.#aging.add(kept);
      this.#bytes += sizeOf(state);
    }
    notifyWatchers(kept);
    this.#discardReplies();
  }

  /** Runs after the watchers were notified. A reply that no longer fits loses its body; its record remains. */
  #discardReplies(): void {
    for (const kept of this.#aging) {
      if (this.#bytes <= this.#bounds.bytes) return;
      const size = sizeOf(kept.state);
      if (size === 0) continue;
      this.#bytes -= size;
      kept.state = { phase: "dropped" };
    }
  }

  #expire(now: number): void {
    for (const kept of this.#aging) {
      if (now - (kept.agingSince ?? now) < this.#bounds.keep) return;
      this.#evict(kept);
    }
  }

  #evict(kept: KeptReply): void {
    this.#byId.delete(kept.id);
    this.#releaseKey(kept);
    this.#aging.delete(kept);
    this.#bytes -= sizeOf(kept.state);
    if (kept.state.phase === "late") kept.state = { phase: "dropped" };
    notifyWatchers(kept);
  }

  #releaseKey(kept: KeptReply): void {
    if (kept.key !== undefined && this.#byKey.get(kept.key) === kept) this.#byKey.delete(kept.key);
  }
}

function notifyWatchers(kept: KeptReply): void {
  const { state } = kept;
  for (const watcher of [...kept.watchers]) watcher(state);
}

/** The size of the replies in bytes. A text counts its UTF-16 units, which is close enough for a bound. */
function sizeOf(state: KeptState): number {
  if (state.phase !== "ended") return 0;
  const items = state.outcome.type === "batch" ? state.outcome.items : [state.outcome];
  return items.reduce((total, item) => total + (item.type === "reply" ? item.body.length : 0), 0);
}
