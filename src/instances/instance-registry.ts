/** Instances: connections that callers open for themselves, each by the settings of an upstream. */

import { refused } from "../errors.ts";
import type { Caller } from "../http/callers.ts";
import { namedUpstream } from "../http/named-upstream.ts";
import { OwnedIds } from "../http/owned-ids.ts";
import {
  INSTANCE_ENDS,
  type InstanceCounts,
  type InstanceEnd,
  type InstanceFacts,
  type InstanceOrder,
  type InstancesPort,
  type OpenInstance,
} from "../http/ports.ts";
import { log } from "../logs/log.ts";
import { logModules } from "../logs/module-log.ts";
import { logUpstream } from "../logs/upstream-log.ts";
import type { Sidecars } from "../sidecar/host/sidecars.ts";
import type { UpstreamClient } from "../sidecar/host/upstream-client.ts";
import { instanceName } from "../sidecar/instance-name.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { filledSettings } from "./filled-settings.ts";

/** The interval of the looks at instances. One ends at most two of them later than its settings say, never sooner. */
const TICK_MS = 250;
/** The most instances that have ended of which the reason is remembered. */
const REASONS_MAX = 1_000;
const RETRY_MS = 1_000;

interface HeldInstance {
  readonly port: OpenInstance;
  readonly client: UpstreamClient;
  readonly owner: string;
  /** The caller's order, with its credential: the upstream's settings may change. */
  readonly order: InstanceOrder;
  readonly endsMs: number;
  /** The last time at which it may have been in use. */
  usedMs: number;
  /** Set once it ends. */
  gone: Promise<void> | undefined;
  readonly onEnd: () => void;
}

type Counts = { open: number; opened: number; readonly ended: Record<InstanceEnd, number> };

export class Instances implements InstancesPort {
  readonly #sidecars: Sidecars;
  readonly #telemetry: Telemetry;
  readonly #ids = new OwnedIds();
  readonly #entries = new Map<string, HeldInstance>();
  /** Those of one owner and one upstream. */
  readonly #owned = new Map<string, Set<HeldInstance>>();
  /** The reasons of recent ends, by id. */
  readonly #reasons = new Map<string, string>();
  readonly #counts = new Map<string, Counts>();
  #opened = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(sidecars: Sidecars, telemetry: Telemetry) {
    this.#sidecars = sidecars;
    this.#telemetry = telemetry;
  }

  async open(upstream: string, order: InstanceOrder, caller: Caller, onEnd: () => void): Promise<OpenInstance> {
    const from = this.#upstream(upstream);
    const template = from.settings;
    const { instances } = template;
    if (!instances)
      throw refused("not_found", `upstream "${upstream}" has no instances: configure \`instances\` for it`);
    const settings = await filledSettings(template, order);
    // From here on in one turn: nobody else takes the place, and the exit has not begun.
    if (this.#sidecars.exiting) throw refused("shutting_down", "the service is shutting down");
    // A reload came between, whose settings nothing else would bring.
    if (this.#sidecars.upstreams.get(upstream) !== from || from.settings !== template)
      return this.open(upstream, order, caller, onEnd);
    const counts = this.#countsOf(upstream);
    if (counts.open >= instances.max) {
      const detail = `instances.max (${instances.max}) is reached: DELETE one, wait until one ends, or raise it`;
      throw refused("too_many_in_flight", detail, RETRY_MS);
    }
    const client = this.#sidecars.openInstance(from, instanceName(upstream, ++this.#opened), settings);
    const owner = ownerIn(upstream, caller.owner);
    const openedAt = new Date();
    const facts: InstanceFacts = {
      id: this.#ids.next(owner),
      openedAt,
      idleMs: order.idleMs ?? instances.idle,
      endsAt: new Date(openedAt.getTime() + instances.life),
    };
    const now = performance.now();
    const entry: HeldInstance = {
      port: namedUpstream(client, upstream, facts),
      client,
      owner: caller.owner,
      order,
      endsMs: now + instances.life,
      usedMs: now,
      gone: undefined,
      onEnd,
    };
    this.#entries.set(facts.id, entry);
    this.#owned.set(owner, (this.#owned.get(owner) ?? new Set()).add(entry));
    counts.open++;
    counts.opened++;
    logUpstream(client, "debug");
    logModules([client]);
    this.#telemetry.watchInstance(facts.id, client);
    client.failing.then(({ detail }) => void this.#end(entry, "failed", detail));
    this.#timer ??= setInterval(() => this.#look(performance.now()), TICK_MS).unref();
    return entry.port;
  }

  find(upstream: string, id: string, { owner }: Caller): OpenInstance {
    const entry = this.#entries.get(id);
    if (entry && !entry.gone && entry.owner === owner && entry.port.name === upstream) {
      entry.usedMs = performance.now();
      return entry.port;
    }
    if (!this.#ids.isOf(ownerIn(upstream, owner), id))
      throw refused("not_found", "unknown instance: use the Location of a response of yours");
    const reason = this.#reasons.get(id) ?? "some time ago";
    throw refused("gone", `the instance has ended: ${reason}; POST /v1/upstreams/${upstream}/instances opens another`);
  }

  list(upstream: string, { owner }: Caller): readonly OpenInstance[] {
    const owned = this.#owned.get(ownerIn(upstream, owner)) ?? [];
    return [...owned].filter(({ gone }) => !gone).map(({ port }) => port);
  }

  async end({ instance }: OpenInstance): Promise<void> {
    const entry = this.#entries.get(instance.id);
    if (entry) await this.#end(entry, "deleted", "it was deleted");
  }

  counts(upstream: string): InstanceCounts {
    return this.#countsOf(upstream);
  }

  /**
   * Follows a reload: instances get the changed settings of their upstream, or end.
   * @param changes the upstreams that have changed, with how
   * @param admits false for an owner whose token is valid no more
   */
  async follow(changes: ReadonlyMap<string, string>, admits: (owner: string) => boolean): Promise<void> {
    await Promise.all([...this.#entries.values()].map((entry) => this.#follow(entry, changes, admits)));
  }

  async #follow(
    entry: HeldInstance,
    changes: ReadonlyMap<string, string>,
    admits: (owner: string) => boolean,
  ): Promise<void> {
    const change = changes.get(entry.port.name);
    if (!admits(entry.owner)) return this.#end(entry, "reload", "its token was removed by a reload");
    if (change === undefined) return undefined;
    const settings = this.#sidecars.upstreams.get(entry.port.name)?.settings;
    const filled =
      settings?.instances && change !== "replaced"
        ? await filledSettings(settings, entry.order).catch(() => undefined)
        : undefined;
    if (!filled) return this.#end(entry, "reload", "its upstream was changed by a reload");
    if (!entry.gone) entry.client.reconfigure(filled, change === "rotated");
  }

  /** Ends those whose time is over. */
  #look(now: number): void {
    for (const entry of this.#entries.values()) {
      const { client, endsMs, port } = entry;
      // It may be in use until it is looked at again.
      if (client.isUsed) entry.usedMs = now + TICK_MS;
      const { idleMs } = port.instance;
      if (now >= endsMs) void this.#end(entry, "life", "its time was over (instances.life)");
      else if (now - entry.usedMs >= idleMs) void this.#end(entry, "idle", `it was idle for ${idleMs / 1_000} s`);
    }
  }

  /** Runs the exit steps, once. The exit of the service runs them for those that are open then. */
  #end(entry: HeldInstance, end: InstanceEnd, why: string): Promise<void> {
    if (this.#sidecars.exiting) return Promise.resolve();
    entry.gone ??= this.#leave(entry, end, why);
    return entry.gone;
  }

  async #leave(entry: HeldInstance, end: InstanceEnd, why: string): Promise<void> {
    const { client, port, onEnd } = entry;
    const { id } = port.instance;
    const counts = this.#countsOf(port.name);
    this.#reasons.set(id, why);
    for (const oldest of this.#reasons.keys()) {
      if (this.#reasons.size <= REASONS_MAX) break;
      this.#reasons.delete(oldest);
    }
    counts.ended[end]++;
    const { bounds } = this.#sidecars;
    // Its owner wants no more of it.
    const own = end === "deleted" ? { ...bounds, drain: 0 } : bounds;
    const { forced, ms, steps } = await this.#sidecars.leave(client, `the instance has ended: ${why}`, own);
    this.#entries.delete(id);
    this.#disown(entry);
    // Until then it counts: it has a socket.
    counts.open--;
    this.#telemetry.unwatch(id);
    onEnd();
    if (this.#entries.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    const level = steps.some(({ outcome }) => outcome === "failed") ? "error" : "debug";
    log[level](`instance ${client.name}: ${why}`, { upstream: port.name, forced, ms, steps });
  }

  #upstream(name: string): UpstreamClient {
    const client = this.#sidecars.upstreams.get(name);
    if (!client) throw refused("not_found", `the upstream ${name} has just been removed by a reload`);
    return client;
  }

  #disown(entry: HeldInstance): void {
    const owner = ownerIn(entry.port.name, entry.owner);
    const owned = this.#owned.get(owner);
    owned?.delete(entry);
    if (owned?.size === 0) this.#owned.delete(owner);
  }

  #countsOf(upstream: string): Counts {
    const known = this.#counts.get(upstream);
    if (known) return known;
    const ended = Object.fromEntries(INSTANCE_ENDS.map((end) => [end, 0])) as Record<InstanceEnd, number>;
    const counts = { open: 0, opened: 0, ended };
    this.#counts.set(upstream, counts);
    return counts;
  }
}

/** An id is of one owner, and of one upstream. */
function ownerIn(upstream: string, owner: string): string {
  return `${upstream} ${owner}`;
}
