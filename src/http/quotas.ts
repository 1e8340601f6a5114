/** The quotas of callers: how much each of them may hold of what all of them share. */

import type { QuotaSettings, UpstreamSettings } from "../config/schema.ts";
import { RETRY_SOON_MS } from "../core/exchange/failures.ts";
import type { Budget } from "../core/util/budget.ts";
import { Shares } from "../core/util/shares.ts";
import { refused } from "../errors.ts";

type Limits = Pick<UpstreamSettings, "limits" | "messages">;

type LimitsByUpstream = ReadonlyMap<string, { readonly settings: Limits }>;

interface UpstreamShares {
  readonly in_flight: Shares;
  readonly streams: Shares;
  readonly subscriptions: Shares;
}

/**
 * Applies where several callers share, or where quotas are configured. Callers are told apart by their tokens: with one
 * token or none all are one, and only the limits of the upstream count.
 */
export class Quotas {
  readonly #upstreams = new Map<string, UpstreamShares>();
  readonly #bytes: Shares;
  readonly #budget: Budget;
  /** The callers that created the subscriptions, by upstream and name. */
  readonly #creators = new Map<string, string>();

  constructor(settings: QuotaSettings, shared: boolean, upstreams: LimitsByUpstream, budget: Budget) {
    this.#budget = budget;
    this.#bytes = new Shares(budget.partOf("in_flight"), settings.bytes, shared);
    this.reconfigure(settings, shared, upstreams, new Set());
  }

  /**
   * Shares by other rules from here on; what callers hold counts on.
   * @param fresh the names of upstreams that hold nothing yet, though there may have been others of their names
   */
  reconfigure(settings: QuotaSettings, shared: boolean, upstreams: LimitsByUpstream, fresh: ReadonlySet<string>): void {
    const isGone = (name: string) => !upstreams.has(name) || fresh.has(name);
    for (const name of this.#upstreams.keys()) if (isGone(name)) this.#upstreams.delete(name);
    for (const key of this.#creators.keys()) if (isGone(key.split(" ", 1).join())) this.#creators.delete(key);
    this.#bytes.reconfigure(this.#budget.partOf("in_flight"), settings.bytes, shared);
    for (const [name, { settings: upstream }] of upstreams) {
      const { limits, messages } = upstream;
      const shares = this.#upstreams.get(name) ?? newShares();
      shares.in_flight.reconfigure(limits.in_flight, settings.in_flight, shared);
      shares.streams.reconfigure(messages.readers, settings.streams, shared);
      shares.subscriptions.reconfigure(limits.subscriptions, settings.subscriptions, shared);
      this.#upstreams.set(name, shares);
    }
  }

  /** @returns undefined if nothing is shared: then quotas cost nothing */
  static of(...given: ConstructorParameters<typeof Quotas>): Quotas | undefined {
    const [settings, shared] = given;
    const isSet = Object.values(settings).some((quota) => quota !== undefined);
    return shared || isSet ? new Quotas(...given) : undefined;
  }

  /** Counts a request. @returns a function to call at its end @throws SidesocketError beyond the caller's share */
  request(upstream: string, caller: string, bytes: number): () => void {
    const { in_flight } = this.#of(upstream);
    if (!in_flight.admits(caller)) throw exceeded("requests in flight", "in_flight");
    if (!this.#bytes.admits(caller, bytes)) throw exceeded("bytes in flight", "bytes");
    in_flight.take(caller);
    this.#bytes.take(caller, bytes);
    return () => {
      in_flight.give(caller);
      this.#bytes.give(caller, bytes);
    };
  }

  /** Counts a stream. @returns and throws as `request` */
  stream(upstream: string, caller: string): () => void {
    const { streams } = this.#of(upstream);
    if (!streams.admits(caller)) throw exceeded("streams", "streams");
    streams.take(caller);
    return () => streams.give(caller);
  }

  /** Counts a subscription until it is removed. @throws SidesocketError beyond the caller's share */
  subscribe(upstream: string, name: string, caller: string): void {
    const { subscriptions } = this.#of(upstream);
    if (!subscriptions.admits(caller)) throw exceeded("subscriptions", "subscriptions");
    subscriptions.take(caller);
    this.#creators.set(`${upstream} ${name}`, caller);
  }

  unsubscribe(upstream: string, name: string): void {
    const key = `${upstream} ${name}`;
    const creator = this.#creators.get(key);
    if (creator === undefined) return;
    this.#creators.delete(key);
    this.#of(upstream).subscriptions.give(creator);
  }

  #of(upstream: string): UpstreamShares {
    const shares = this.#upstreams.get(upstream);
    if (!shares) throw refused("not_found", `the upstream ${upstream} has just been removed by a reload`);
    return shares;
  }
}

function newShares(): UpstreamShares {
  const shares = () => new Shares(0, undefined, false);
  return { in_flight: shares(), streams: shares(), subscriptions: shares() };
}

function exceeded(what: string, quota: keyof QuotaSettings) {
  const cure = `wait for one of yours to end, or set quota.${quota}`;
  return refused("too_many_in_flight", `your share of the ${what} is used up: ${cure}`, RETRY_SOON_MS);
}
