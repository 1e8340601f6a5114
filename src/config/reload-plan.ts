/** The plan of a reload: what has changed between two configurations, and how it comes into force. */

import { isDeepStrictEqual } from "node:util";
import { outgoingOptions } from "../protocols/outgoing-options.ts";
import { placeholdersIn } from "../secrets/placeholders.ts";
import { outgoingOf } from "../secrets/secrets.ts";
import { TLS_FILES } from "../secrets/tls-files.ts";
import type { LoadedConfig } from "./load.ts";
import type { UpstreamSettings } from "./schema.ts";

/** A configuration, and the digests of the files that its upstreams name, by path. */
export interface Snapshot {
  readonly config: LoadedConfig;
  readonly digests: ReadonlyMap<string, string>;
}

/**
 * How a setting of an upstream comes into force.
 * - `in_place`: at once, on the connection that is there.
 * - `rotated`: by a new connection, which replaces the present one when it is ready.
 * - `replaced`: by a new upstream in place of the present one, which runs its exit steps.
 */
export type UpstreamMeans = "in_place" | "rotated" | "replaced";

export type UpstreamChange = UpstreamMeans | "added" | "removed";

/** How a setting of the process comes into force. */
export type ProcessMeans = "in_place" | "restart";

type KeysOf<Settings, Means> = { readonly [Key in keyof Required<Settings>]: Means };

/** Every key of an upstream; those of `limits`, `keepalive` and `tls` apart. */
export const UPSTREAM_MEANS: Omit<KeysOf<UpstreamSettings, UpstreamMeans>, "limits" | "keepalive" | "tls"> & {
  readonly limits: KeysOf<UpstreamSettings["limits"], UpstreamMeans>;
  readonly keepalive: KeysOf<UpstreamSettings["keepalive"], UpstreamMeans>;
  readonly tls: KeysOf<UpstreamSettings["tls"], UpstreamMeans>;
} = {
  url: "rotated",
  // It only permits other settings.
  allow_plaintext: "in_place",
  required: "in_place",
  failover: "in_place",
  ca: "rotated",
  tls: {
    ca: "rotated",
    cert: "rotated",
    key: "rotated",
    pfx: "rotated",
    passphrase: "rotated",
    servername: "rotated",
    min_version: "rotated",
  },
  proxy: "rotated",
  headers: "rotated",
  credentials: "rotated",
  subprotocols: "rotated",
  // Its state and its requests in flight mean nothing to another protocol.
  protocol: "replaced",
  // These count from the next attempt on.
  connect_within: "in_place",
  addresses: "in_place",
  compression: "rotated",
  // These count from the next attempt on.
  redirects: "in_place",
  cookies: "in_place",
  greeting: "rotated",
  farewell: "rotated",
  // A connection has the values that its frames have brought.
  capture: "rotated",
  add: "rotated",
  limits: {
    in_flight: "in_place",
    batch_items: "in_place",
    request_bytes: "in_place",
    // A socket has one limit for its life.
    reply_bytes: "rotated",
    reply_pause: "in_place",
    buffered_bytes: "in_place",
    subscriptions: "in_place",
    pace: "in_place",
  },
  keepalive: {
    ping: "in_place",
    pong_within: "in_place",
    // It may belong to the login.
    heartbeat: "rotated",
    silence: "in_place",
  },
  reconnect: "in_place",
  messages: "in_place",
  subscriptions: "in_place",
  webhooks: "in_place",
  // They count for instances that are opened from then on.
  params: "in_place",
  instances: "in_place",
  // It has a connection from then on, or none any more.
  template: "replaced",
  owner: "replaced",
  // Members claim an upstream by what it bore when they began to share it.
  handover: "replaced",
  when_alone: "replaced",
  close_code: "in_place",
};

/** Every other part of a configuration that a reload can find changed. Flags and variables cannot change. */
export const PROCESS_MEANS = {
  listen: "restart",
  cluster: "restart",
  replies: "in_place",
  limits: "restart",
  quota: "in_place",
  shutdown: "in_place",
  watch: "in_place",
  tokens: "in_place",
  shutdownTokens: "in_place",
} as const satisfies Partial<Record<keyof LoadedConfig, ProcessMeans>>;

type ProcessPart = keyof typeof PROCESS_MEANS;

export interface ReloadPlan {
  /** The upstreams that change, by name. All others of both configurations are unchanged. */
  readonly upstreams: ReadonlyMap<string, UpstreamChange>;
  readonly unchanged: readonly string[];
  /** Keys outside of upstreams that come into force in place. */
  readonly applied: readonly string[];
  /** Keys that have changed and come into force only by a restart. */
  readonly needsRestart: readonly string[];
  /** The configuration that is in force once the plan is carried out. */
  readonly after: Snapshot;
}

export function planReload(before: Snapshot, after: Snapshot): ReloadPlan {
  const applied: string[] = [];
  const needsRestart: string[] = [];
  for (const part of Object.keys(PROCESS_MEANS) as ProcessPart[]) {
    const list = PROCESS_MEANS[part] === "restart" ? needsRestart : applied;
    list.push(...changedKeys(part, settled(before.config)[part], settled(after.config)[part]));
  }
  const { limits, cluster, demo } = before.config;
  const { listen, certificate, isRenewed } = planListener(before.config, after.config);
  if (isRenewed) applied.push(CERTIFICATE);
  // The demo is one listener more: it neither comes nor goes while the process lives.
  const stays = demo !== after.config.demo;
  if (stays) needsRestart.push("upstreams");
  const upstreams = stays ? before.config.upstreams : after.config.upstreams;

  const changes = new Map<string, UpstreamChange>();
  const unchanged: string[] = [];
  const digests = new Map(after.digests);
  for (const name of new Set([...before.config.upstreams.keys(), ...upstreams.keys()])) {
    const [from, to] = [before.config.upstreams.get(name), upstreams.get(name)];
    const change = !from ? "added" : !to ? "removed" : changeOf(from, to, before.digests, after.digests);
    if (change) changes.set(name, change);
    else unchanged.push(name);
    for (const key of ["protocol", "credentials"] as const) {
      const path = pathOfModule(from?.[key]);
      if (path === undefined || pathOfModule(to?.[key]) !== path) continue;
      const [former, latter] = [before.digests.get(path), after.digests.get(path)];
      if (former === latter) continue;
      // A thread loads a module once.
      needsRestart.push(`upstreams.${name}.${key}`);
      if (former !== undefined) digests.set(path, former);
    }
  }
  const config: LoadedConfig = { ...after.config, listen, certificate, cluster, limits, demo, upstreams };
  return { upstreams: changes, unchanged, applied, needsRestart, after: { config, digests } };
}

/** The key under which a plan has a renewed certificate of the listener. */
export const CERTIFICATE = "listen.tls";

/** A configuration of which the listener is without the files of its certificate, which are renewed in place. */
function settled({ listen: { tls, ...listen }, ...rest }: LoadedConfig) {
  const lasting = tls && { min_version: tls.min_version, asks: tls.ca !== undefined };
  return { ...rest, listen: { ...listen, tls: lasting } };
}

/** The listener that is in force after a reload: only its certificate can be another, of a listener that has one. */
function planListener(before: LoadedConfig, after: LoadedConfig) {
  const isSettled = isDeepStrictEqual(settled(before).listen.tls, settled(after).listen.tls);
  const { tls, certificate } = isSettled ? { ...after, tls: after.listen.tls } : { ...before, tls: before.listen.tls };
  const isRenewed = !isDeepStrictEqual(before.certificate, certificate);
  return { listen: { ...before.listen, ...(tls && { tls }) }, certificate, isRenewed };
}

/** @returns undefined if nothing has changed */
function changeOf(
  from: UpstreamSettings,
  to: UpstreamSettings,
  before: Snapshot["digests"],
  after: Snapshot["digests"],
): UpstreamMeans | undefined {
  const means = new Set<UpstreamMeans>();
  const note = (known: object, one: object, other: object): void => {
    for (const [key, each] of Object.entries(known)) {
      const [a, b] = [settingOf(one, key), settingOf(other, key)];
      if (isDeepStrictEqual(a, b)) continue;
      if (typeof each === "object") note(each, Object(a), Object(b));
      else means.add(meansOf(key, each, from, to));
    }
  };
  note(UPSTREAM_MEANS, from, to);
  if (filesOf(to).some((path) => before.get(path) !== after.get(path))) means.add("rotated");
  return (["replaced", "rotated", "in_place"] as const).find((each) => means.has(each));
}

/** The means of a changed setting, which for two of them depends on the change. */
function meansOf(key: string, means: UpstreamMeans, from: UpstreamSettings, to: UpstreamSettings): UpstreamMeans {
  if (key === "protocol" && isDeepStrictEqual(withoutLogin(from.protocol), withoutLogin(to.protocol))) return "rotated";
  // Placeholders are resolved by a connection attempt, for all requests of that connection.
  if (key === "subscriptions" && hasPlaceholders([from.subscriptions, to.subscriptions])) return "replaced";
  return means;
}

/** A protocol without the options that only go out. */
function withoutLogin(protocol: UpstreamSettings["protocol"]): unknown {
  if (typeof protocol === "string") return protocol;
  const login = outgoingOptions(protocol);
  return Object.fromEntries(Object.entries(protocol).filter(([key]) => !login.includes(key)));
}

function hasPlaceholders(value: unknown): boolean {
  const { files, credentials, escapes } = placeholdersIn(value);
  return files.size > 0 || credentials || escapes;
}

/** The files that a connection attempt reads. */
export function filesOf(settings: UpstreamSettings): readonly string[] {
  const { ca, tls } = settings;
  const certificates = [ca, ...TLS_FILES.map((setting) => tls[setting])].filter((path) => path !== undefined);
  return [...placeholdersIn(outgoingOf(settings)).files, ...certificates];
}

/** The path of a user's module; undefined for what is none. */
export function pathOfModule(setting: UpstreamSettings["protocol"] | undefined): string | undefined {
  const url = typeof setting === "object" ? setting.preset : setting;
  return url?.startsWith("file:") ? decodeURIComponent(new URL(url).pathname) : undefined;
}

/** The paths of the values that differ: of a mapping its keys, of anything else the part itself. */
function changedKeys(part: ProcessPart, before: unknown, after: unknown): readonly string[] {
  if (isDeepStrictEqual(before, after)) return [];
  const name = part === "shutdownTokens" ? "shutdown_tokens" : part;
  if (!isMapping(before) || !isMapping(after)) return [name];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].filter((key) => !isDeepStrictEqual(before[key], after[key])).map((key) => `${name}.${key}`);
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function settingOf(settings: object, key: string): unknown {
  return (settings as Readonly<Record<string, unknown>>)[key];
}
