/** Keeper of replies that are fetched later: the store of kept replies, with a clock, ids and watchers. */

import type { ReplySettings } from "../config/schema.ts";
import { KeptReplies, type KeptReply, type KeptState, type KeyShares, type NoRoom } from "../core/kept-replies.ts";
import type { CallerOutcome, Outcome } from "../core/outcome.ts";
import type { Budget } from "../core/util/budget.ts";
import { refused } from "../errors.ts";
import { isHolderAddress } from "../sidecar/holder-address.ts";
import type { LeaveSignal } from "../sidecar/host/upstream-client.ts";
import { OwnedIds } from "./owned-ids.ts";
import type { StopSignal } from "./stop-signal.ts";

/** Stands between the address of the replica that keeps a reply and the rest of its id. */
const BETWEEN = ".";
const SECRET = /^[\w-]{43}$/;

/** The address of the replica that keeps a reply; undefined if its id names none. */
export function holderOf(id: string): string | undefined {
  const [address = "", secret = "", ...others] = id.split(BETWEEN);
  return isHolderAddress(address) && SECRET.test(secret) && others.length === 0 ? address : undefined;
}

export class ReplyKeeper {
  readonly #ids = new OwnedIds();
  readonly #replies: KeptReplies;
  #bounds: ReplySettings;

  constructor(bounds: ReplySettings, budget?: Budget, shares?: KeyShares) {
    this.#bounds = bounds;
    this.#replies = new KeptReplies(bounds, budget, shares);
  }

  reconfigure(bounds: ReplySettings, shares: KeyShares): void {
    this.#bounds = bounds;
    this.#replies.reconfigure(bounds, shares);
  }

  /** The number of records, and the bytes of their replies. */
  get size(): number {
    return this.#replies.size;
  }

  get bytes(): number {
    return this.#replies.bytes;
  }

  /** The kept reply of an earlier request with this key; undefined if there was none or it was forgotten. */
  byKey(key: string): KeptReply | undefined {
    return this.#replies.byKey(key, performance.now());
  }

  /**
   * Keeps the outcome of a request. Runs `request` only if there is room.
   * @param about `holder`: the address at which other replicas of a cluster can ask for it
   * @param owner the caller that may fetch it
   * @returns why there is no room, if there is none
   */
  keep(
    about: Pick<KeptReply, "upstream"> & { readonly holder?: string | undefined } & Partial<
        Pick<KeptReply, "key" | "digest" | "isShared">
      >,
    owner: string,
    request: () => Promise<CallerOutcome>,
  ): KeptReply | NoRoom {
    const { upstream, holder, key, digest, isShared = false } = about;
    const record = { id: this.#newId(owner, holder), upstream, owner, key, digest, isShared };
    const kept = this.#replies.open(record, performance.now());
    if (typeof kept !== "string") request().then((outcome) => this.#settle(kept, outcome));
    return kept;
  }

  /** Keeps the late reply of a request that has just timed out. */
  keepLate(upstream: string, owner: string, outcome: CallerOutcome, holder?: string): KeptReply | undefined {
    const record = { id: this.#newId(owner, holder), upstream, owner, key: undefined, digest: undefined };
    const kept = this.#replies.open(record, performance.now());
    if (typeof kept === "string") return undefined;
    this.#settle(kept, outcome);
    return kept;
  }

  /** True for an id that was given here to this caller. */
  isOf(owner: string, id: string): boolean {
    return this.#ids.isOf(owner, id.slice(id.indexOf(BETWEEN) + 1));
  }

  /** @throws SidesocketError `not_found`, also for a reply of another caller; `gone` if it is no longer kept */
  find(id: string, owner: string): KeptReply {
    const kept = this.isOf(owner, id) ? this.#replies.byId(id, performance.now()) : null;
    if (kept === null) throw refused("not_found", "unknown request id: use the Location of a response of yours");
    if (kept) return kept;
    const { keep, count } = this.#bounds;
    const detail = `the reply is no longer kept (replies.keep: ${keep / 1_000}s, replies.count: ${count})`;
    throw refused("gone", detail);
  }

  /**
   * Waits until the kept reply is in a state that `isEnough`, at most `withinMs`. The exit settles a pending request,
   * so waiting for one goes on; waiting for a late reply ends once the exit has begun.
   * @returns the state reached; rejects only if `left` aborts
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

  #newId(owner: string, holder: string | undefined): string {
    const id = this.#ids.next(owner);
    return holder === undefined ? id : `${holder}${BETWEEN}${id}`;
  }

  #settle(kept: KeptReply, outcome: CallerOutcome): void {
    const end = (final: Outcome) => this.#replies.end(kept, final, performance.now());
    if (!("later" in outcome)) {
      end(outcome);
      return;
    }
    const { later, ...failed } = outcome;
    this.#replies.markLate(kept, failed, performance.now());
    later.then(end);
  }
}
