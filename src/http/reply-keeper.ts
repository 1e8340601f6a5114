import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { ReplySettings } from "../config/schema.ts";
import { KeptReplies, type KeptReply, type KeptState } from "../core/kept-replies.ts";
import type { CallerOutcome, Outcome } from "../core/outcome.ts";
import { refused } from "../errors.ts";
import type { LeaveSignal } from "../sidecar/host/upstream-client.ts";
import type { StopSignal } from "./stop-signal.ts";

/** Half of an id is chance, the other half shows that it is one of ours and whose, after it was forgotten too. */
const HALF_BYTES = 16;

/** What is asked for once and answered later: the store, with the clock, the ids and the waiting. */
export class ReplyKeeper {
  readonly #secret = randomBytes(32);
  readonly #replies: KeptReplies;
  readonly #bounds: ReplySettings;

  constructor(bounds: ReplySettings) {
    this.#bounds = bounds;
    this.#replies = new KeptReplies(bounds);
  }

  /** The request that came with this key before, and is known still. */
  byKey(key: string): KeptReply | undefined {
    return this.#replies.byKey(key, performance.now());
  }

  /**
   * Keeps how a request ends. Undefined when there is no room, because as many as may be kept are on their way.
   * @param owner who may ask for it
   */
  keep(
    about: Pick<KeptReply, "upstream"> & Partial<Pick<KeptReply, "key" | "digest">>,
    owner: string,
    answer: () => Promise<CallerOutcome>,
  ): KeptReply | undefined {
    const { upstream, key, digest } = about;
    const kept = this.#replies.open({ id: this.#newId(owner), upstream, key, digest }, performance.now());
    if (kept) answer().then((ended) => this.#ended(kept, ended));
    return kept;
  }

  /** Keeps the late reply of a request whose caller is being told that none came in time. */
  keepLate(upstream: string, owner: string, answer: CallerOutcome): KeptReply | undefined {
    const kept = this.#replies.open(
      { id: this.#newId(owner), upstream, key: undefined, digest: undefined },
      performance.now(),
    );
    if (kept) this.#ended(kept, answer);
    return kept;
  }

  /** @throws SidesocketError `not_found`, also for what is another caller's; `gone` when it is no longer kept */
  find(id: string, owner: string): KeptReply {
    const kept = this.#isOurs(id, owner) ? this.#replies.byId(id, performance.now()) : null;
    if (kept === null) throw refused("not_found", "there is no such request of yours");
    if (kept) return kept;
    const { keep, count } = this.#bounds;
    const detail = `it is no longer kept (replies.keep: ${keep / 1_000}s, replies.count: ${count})`;
    throw refused("gone", detail);
  }

  /**
   * Waits until it has come as far as wanted, at most `withinMs`. What is pending is ended by the exit; for what is late
   * nobody waits any more when that has begun.
   * @returns how far it has come; rejects only when `left` aborts
   */
  wait(
    kept: KeptReply,
    isEnough: (state: KeptState) => boolean,
    withinMs: number,
    { left, stopping }: { readonly left: LeaveSignal; readonly stopping: StopSignal },
  ): Promise<KeptState> {
    const isOver = (state: KeptState) => isEnough(state) || (stopping.come && state.phase !== "pending");
    if (isOver(kept.state) || withinMs === 0) return Promise.resolve(kept.state);
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        clearTimeout(timer);
        kept.watchers.delete(watch);
        left.removeEventListener("abort", leave);
        stopping.off(listener);
        settle();
      };
      const watch = (state: KeptState) => {
        if (isOver(state)) end(() => resolve(state));
      };
      const giveUp = () => end(() => resolve(kept.state));
      const leave = () => end(() => reject(left.reason));
      const timer = withinMs === Number.POSITIVE_INFINITY ? undefined : setTimeout(giveUp, withinMs);
      kept.watchers.add(watch);
      left.addEventListener("abort", leave, { once: true });
      const listener = stopping.on(() => watch(kept.state));
      if (left.aborted) leave();
    });
  }

  #ended(kept: KeptReply, answer: CallerOutcome): void {
    const end = (outcome: Outcome) => this.#replies.end(kept, outcome, performance.now());
    if (!("later" in answer)) {
      end(answer);
      return;
    }
    const { later, ...failed } = answer;
    this.#replies.markLate(kept, failed, performance.now());
    later.then(end);
  }

  #newId(owner: string): string {
    const chance = randomBytes(HALF_BYTES);
    return Buffer.concat([chance, this.#mark(chance, owner)]).toString("base64url");
  }

  #isOurs(id: string, owner: string): boolean {
    const bytes = Buffer.from(id, "base64url");
    if (bytes.length !== 2 * HALF_BYTES || bytes.toString("base64url") !== id) return false;
    return timingSafeEqual(bytes.subarray(HALF_BYTES), this.#mark(bytes.subarray(0, HALF_BYTES), owner));
  }

  #mark(chance: Uint8Array, owner: string): Buffer {
    return createHmac("sha256", this.#secret).update(chance).update(owner).digest().subarray(0, HALF_BYTES);
  }
}
