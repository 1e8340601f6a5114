import type { ReplySettings } from "../config/schema.ts";
import { type Failed, isUnsent, type Outcome } from "./outcome.ts";

/**
 * How requests ended, kept for who asks later: asynchronous ones, late replies, and whatever has an Idempotency-Key.
 * Bounded by age, count and bytes; the oldest goes first. Pure: the time is an argument, in milliseconds.
 */

export type KeptState =
  | { readonly phase: "pending" }
  /** Its caller was told `reply_timeout`, and its reply may come still. */
  | { readonly phase: "late"; readonly failed: Failed }
  | { readonly phase: "ended"; readonly outcome: Outcome }
  /** It ended, and there was no room for its reply. That it was asked is still known. */
  | { readonly phase: "dropped" };

/** What is kept about one request. Only {@link KeptReplies} changes it. */
export interface KeptReply {
  readonly id: string;
  readonly upstream: string;
  /** By which a repeated request finds it, and what that one must repeat. */
  readonly key: string | undefined;
  readonly digest: string | undefined;
  state: KeptState;
  /** Since when it may be forgotten after `keep`; undefined while it is pending. */
  agesFrom: number | undefined;
  readonly watchers: Set<(state: KeptState) => void>;
}

export class KeptReplies {
  readonly #bounds: ReplySettings;
  readonly #byId = new Map<string, KeptReply>();
  readonly #byKey = new Map<string, KeptReply>();
  /** Those that are not pending, the oldest first. */
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

  /** Begins to keep one that is pending. Undefined when nothing can be forgotten to make room: all are pending. */
  open(about: Pick<KeptReply, "id" | "upstream" | "key" | "digest">, now: number): KeptReply | undefined {
    this.#expire(now);
    while (this.#byId.size >= this.#bounds.count) {
      const [oldest] = this.#aging;
      if (!oldest) return undefined;
      this.#forget(oldest);
    }
    const kept: KeptReply = { ...about, state: { phase: "pending" }, agesFrom: undefined, watchers: new Set() };
    this.#byId.set(kept.id, kept);
    if (kept.key !== undefined) this.#byKey.set(kept.key, kept);
    return kept;
  }

  /** Its caller is told that no reply came in time. */
  late(kept: KeptReply, failed: Failed, now: number): void {
    this.#become(kept, { phase: "late", failed }, now);
  }

  /** Its end. One that is certainly unsent may be tried again: its key finds it no more. */
  end(kept: KeptReply, outcome: Outcome, now: number): void {
    if (isUnsent(outcome)) this.#release(kept);
    this.#become(kept, { phase: "ended", outcome }, now);
  }

  #become(kept: KeptReply, state: KeptState, now: number): void {
    // Forgotten meanwhile: whoever has it in hand still sees how it ended, but it is not kept again.
    const known = this.#byId.get(kept.id) === kept;
    kept.state = state;
    if (known) {
      kept.agesFrom = now;
      this.#aging.delete(kept);
      this.#aging.add(kept);
      this.#bytes += sizeOf(state);
    }
    for (const watcher of [...kept.watchers]) watcher(state);
    this.#trim();
  }

  /** Whoever waits has been told by now. What is left of a reply without room is that there was one. */
  #trim(): void {
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
      if (now - (kept.agesFrom ?? now) < this.#bounds.keep) return;
      this.#forget(kept);
    }
  }

  #forget(kept: KeptReply): void {
    this.#byId.delete(kept.id);
    this.#release(kept);
    this.#aging.delete(kept);
    this.#bytes -= sizeOf(kept.state);
    if (kept.state.phase === "late") kept.state = { phase: "dropped" };
    for (const watcher of [...kept.watchers]) watcher(kept.state);
  }

  #release(kept: KeptReply): void {
    if (kept.key !== undefined && this.#byKey.get(kept.key) === kept) this.#byKey.delete(kept.key);
  }
}

/** The bytes of its replies; of a text the number of UTF-16 units, which is near enough to a bound. */
function sizeOf(state: KeptState): number {
  if (state.phase !== "ended") return 0;
  const items = state.outcome.type === "batch" ? state.outcome.items : [state.outcome];
  return items.reduce((total, item) => total + (item.type === "reply" ? item.body.length : 0), 0);
}
