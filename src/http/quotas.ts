/** The quotas of callers: how much each of them may hold of what all of them share. */

import type { QuotaSettings, UpstreamSettings } from "../config/schema.ts";
import { RETRY_SOON_MS } from "../core/exchange/failures.ts";
import type { Budget } from "../core/util/budget.ts";
import { Shares } from "../core/util/shares.ts";
import { refused } from "../errors.ts";
import { type PathHolder, pathOf } from "./upstream-path.ts";

type Limits = Pick<UpstreamSettings, "limits" | "messages" | "template" | "instances">;

type LimitsByUpstream = ReadonlyMap<string, { readonly settings: Limits }>;

/** The shares of what connections have limits for. */
interface ConnectionShares {
  readonly in_flight: Shares;
  readonly streams: Shares;
  readonly subscriptions: Shares;
}

/** The callers that created the subscriptions of an upstream or an instance, by the names of these. */
interface Creators {
  readonly upstream: PathHolder;
  readonly callers: Map<string, string>;
}

interface UpstreamShares {
  /** Of the connection that all callers use. */
  readonly common: ConnectionShares;
  /** Of the connections of the instances together. */
  readonly owned: ConnectionShares;
  readonly instances: Shares;
}

/**
 * Applies where several callers share, or where quotas are configured. Callers are told apart by their tokens: with one
 * token or none all are one, and only the limits of the upstream count. What they hold of its
 * instances counts apart from what they hold of the connection that all use.
 */
export class Quotas {
  readonly #upstreams = new Map<string, UpstreamShares>();
  readonly #bytes: Shares;
  readonly #budget: Budget;
  /** The callers that created the subscriptions, by the path of the upstream or instance. */
  readonly #creators = new Map<string, Creators>();

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
    for (const [key, { upstream }] of this.#creators) if (isGone(upstream.name)) this.#creators.delete(key);
    this.#bytes.reconfigure(this.#budget.partOf("in_flight"), settings.bytes, shared);
    for (const [name, { settings: upstream }] of upstreams) {
      const { limits, messages, template, instances } = upstream;
      const shares = this.#upstreams.get(name) ?? newShares();
      const max = instances?.max ?? 0;
      for (const [of, connections] of [
        [shares.common, template ? 0 : 1],
        [shares.owned, max],
      ] as const) {
        of.in_flight.reconfigure(limits.in_flight * connections, settings.in_flight, shared);
        of.streams.reconfigure(messages.readers * connections, settings.streams, shared);
        of.subscriptions.reconfigure(limits.subscriptions * connections, settings.subscriptions, shared);
      }
      shares.instances.reconfigure(max, settings.instances, shared);
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
  request(upstream: PathHolder, caller: string, bytes: number): () => void {
    const { in_flight } = this.#connections(upstream);
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
  stream(upstream: PathHolder, caller: string): () => void {
    const { streams } = this.#connections(upstream);
    if (!streams.admits(caller)) throw exceeded("streams", "streams");
    streams.take(caller);
    return () => streams.give(caller);
  }

  /** Counts an instance. @returns and throws as `request` */
  instance(upstream: string, caller: string): () => void {
    const { instances } = this.#of(upstream);
    if (!instances.admits(caller)) throw exceeded("instances", "instances");
    instances.take(caller);
    return () => instances.give(caller);
  }

  /** Counts a subscription until it is removed. @throws SidesocketError beyond the caller's share */
  subscribe(upstream: PathHolder, name: string, caller: string): void {
    const { subscriptions } = this.#connections(upstream);
    if (!subscriptions.admits(caller)) throw exceeded("subscriptions", "subscriptions");
    subscriptions.take(caller);
    const path = pathOf(upstream);
    const { callers } = this.#creators.get(path) ?? { callers: new Map<string, string>() };
    this.#creators.set(path, { upstream, callers: callers.set(name, caller) });
  }

  unsubscribe(upstream: PathHolder, name: string): void {
    const path = pathOf(upstream);
    const creators = this.#creators.get(path);
    const caller = creators?.callers.get(name);
    if (!creators || caller === undefined) return;
    creators.callers.delete(name);
    if (creators.callers.size === 0) this.#creators.delete(path);
    this.#giveBack(creators.upstream, caller);
  }

  /** All subscriptions of an instance are gone with it. */
  ended(instance: PathHolder): void {
    const path = pathOf(instance);
    const creators = this.#creators.get(path);
    if (!creators) return;
    this.#creators.delete(path);
    for (const caller of creators.callers.values()) this.#giveBack(creators.upstream, caller);
  }

  #giveBack(upstream: PathHolder, caller: string): void {
    const shares = this.#upstreams.get(upstream.name);
    if (shares) sharesFor(upstream, shares).subscriptions.give(caller);
  }

  #connections(upstream: PathHolder): ConnectionShares {
    return sharesFor(upstream, this.#of(upstream.name));
  }

  #of(upstream: string): UpstreamShares {
    const shares = this.#upstreams.get(upstream);
    if (!shares) throw refused("not_found", `the upstream ${upstream} has just been removed by a reload`);
    return shares;
  }
}

function sharesFor({ instance }: PathHolder, { common, owned }: UpstreamShares): ConnectionShares {
  return instance ? owned : common;
}

function newShares(): UpstreamShares {
  const shares = () => new Shares(0, undefined, false);
  const connection = () => ({ in_flight: shares(), streams: shares(), subscriptions: shares() });
  return { common: connection(), owned: connection(), instances: shares() };
}

function exceeded(what: string, quota: keyof QuotaSettings) {
  const cure = `wait for one of yours to end, or set quota.${quota}`;
  return refused("too_many_in_flight", `your share of the ${what} is used up: ${cure}`, RETRY_SOON_MS);
}
